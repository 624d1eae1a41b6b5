use std::sync::Arc;

use diator::Services;
use diator_testkit::container::{
    Chicken, Clock, Config, Driver, Egg, Failing, Guarantees, InSession, Panicking, Probe, Repository, Session, Stamp,
    SystemClock, Work,
};

struct BuiltIn;

impl Driver for BuiltIn {
    const GUARANTEES: Guarantees = Guarantees::none().knows_lifetimes().factories_may_fail().savepoints();

    type Container = Services;

    fn container(probe: Probe) -> Services {
        Services::new()
            .value(probe)
            .singleton_with(|services| Ok(Config::of(&*services.get::<Probe>()?)))
            .singleton_with(|services| Ok(SystemClock::of(&*services.get::<Probe>()?)))
            .alias::<dyn Clock, SystemClock>(|clock| clock)
            .scoped(|scope| Ok(Session::of(&*scope.get::<Probe>()?, scope.get()?)))
            .scoped(|scope| Ok(InSession::of(scope.get()?)))
            .alias::<dyn Repository, InSession>(|repository| repository)
            .transient(|scope| Ok(Stamp::of(&*scope.get::<Probe>()?)))
            .scoped(|scope| Failing::of(&*scope.get::<Probe>()?))
            .scoped(|scope| Ok(Panicking::of(&*scope.get::<Probe>()?)))
            .unit_of_work_sync(|scope| Ok(Work::of(&*scope.get::<Probe>()?, scope.kind())))
    }

    fn cyclic() -> Services {
        Services::new()
            .singleton_with(|services| services.get::<Egg>().map(|_: Arc<Egg>| Chicken))
            .singleton_with(|services| services.get::<Chicken>().map(|_: Arc<Chicken>| Egg))
    }
}

diator_testkit::container_conformance!(BuiltIn);
