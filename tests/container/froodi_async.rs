use std::io;
use std::sync::Arc;

use diator::Meta;
use diator::container::Enlistment;
use diator_testkit::container::{
    Clock, Config, Driver, Failing, Guarantees, InSession, Panicking, Probe, Repository, Session, Stamp, SystemClock,
    Work,
};
use diator_testkit::yields;
use froodi::DefaultScope::{App, Request};
use froodi::async_impl::Container;
use froodi::{Config as Caching, Inject, InstantiateErrorKind, declare, instance, registry};

struct FroodiAsync;

impl Driver for FroodiAsync {
    const GUARANTEES: Guarantees = Guarantees::none().factories_may_fail().savepoints();

    type Container = Container;

    fn container(probe: Probe) -> Container {
        Container::new(registry! {
            scope(App) [
                provide(instance(probe)),
                provide(|Inject(probe): Inject<Probe>| async move { Ok(Config::of(&probe)) }),
                provide(|Inject(probe): Inject<Probe>| async move {
                    Ok(Arc::new(SystemClock::of(&probe)) as Arc<dyn Clock>)
                }),
            ],
            scope(Request) [
                provide(declare::<Meta>()),
                provide(declare::<Enlistment>()),
                provide(|Inject(probe): Inject<Probe>, Inject(meta): Inject<Meta>| async move {
                    yields(1).await;
                    Ok(Session::of(&probe, meta))
                }),
                provide(|Inject(session): Inject<Session>| async move {
                    Ok(Arc::new(InSession::of(session)) as Arc<dyn Repository>)
                }),
                provide(|Inject(probe): Inject<Probe>| Ok(Stamp::of(&probe)), config = Caching { cache_provides: false }),
                provide(|Inject(probe): Inject<Probe>| async move {
                    yields(1).await;
                    Failing::of(&probe).map_err(|error| InstantiateErrorKind::Custom(io::Error::other(error).into()))
                }),
                provide(|Inject(probe): Inject<Probe>| async move { Ok(Panicking::of(&probe)) }),
                provide(|Inject(probe): Inject<Probe>, Inject(enlistment): Inject<Enlistment>| async move {
                    Ok(Work::enlisted(&probe, &enlistment))
                }),
            ],
        })
    }

    fn cyclic() -> Container {
        Container::new(super::froodi::cyclic())
    }
}

diator_testkit::container_conformance!(FroodiAsync);
