use std::sync::Arc;

use di::{ServiceCollection, existing_as_self, scoped_factory, singleton_factory, transient_factory};
use diator::container::MoreDi;
use diator_testkit::container::{
    Chicken, Clock, Config, Driver, Egg, Failing, Guarantees, InSession, Panicking, Probe, Repository, Session, Stamp,
    SystemClock, Work,
};

struct MoreDiDriver;

impl Driver for MoreDiDriver {
    const GUARANTEES: Guarantees = Guarantees::none().knows_lifetimes().savepoints();

    type Container = MoreDi;

    fn container(probe: Probe) -> MoreDi {
        let mut services = ServiceCollection::new();
        services
            .add(existing_as_self(probe))
            .add(singleton_factory(|services| Arc::new(Config::of(&services.get_required()))))
            .add(singleton_factory::<dyn Clock, _>(|services| Arc::new(SystemClock::of(&services.get_required()))))
            .add(scoped_factory(|scope| Arc::new(Session::of(&scope.get_required(), scope.get_required()))))
            .add(scoped_factory::<dyn Repository, _>(|scope| Arc::new(InSession::of(scope.get_required()))))
            .add(transient_factory(|scope| Arc::new(Stamp::of(&scope.get_required()))))
            .add(scoped_factory(|scope| Arc::new(Failing::of(&scope.get_required()).expect("it is not spoilt"))))
            .add(scoped_factory(|scope| Arc::new(Panicking::of(&scope.get_required()))))
            .add(scoped_factory(|scope| Arc::new(Work::enlisted(&scope.get_required(), &scope.get_required()))));
        MoreDi::new(&services)
    }

    fn cyclic() -> MoreDi {
        let mut services = ServiceCollection::new();
        let chicken = di::singleton_as_self::<Chicken>().depends_on(di::exactly_one::<Egg>());
        let egg = di::singleton_as_self::<Egg>().depends_on(di::exactly_one::<Chicken>());
        services.add(chicken.from(|_| Arc::new(Chicken))).add(egg.from(|_| Arc::new(Egg)));
        MoreDi::new(&services)
    }
}

diator_testkit::container_conformance!(MoreDiDriver);
