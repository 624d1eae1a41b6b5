use std::io;
use std::sync::Arc;

use diator::Meta;
use diator::container::Enlistment;
use diator_testkit::container::{
    Chicken, Clock, Config, Driver, Egg, Failing, Guarantees, InSession, Panicking, Probe, Repository, Session, Stamp,
    SystemClock, Work,
};
use froodi::DefaultScope::{App, Request};
use froodi::{Config as Caching, Container, Inject, InstantiateErrorKind, Registry, declare, instance, registry};

struct Froodi;

impl Driver for Froodi {
    const GUARANTEES: Guarantees = Guarantees::none().factories_may_fail().savepoints();

    type Container = Container;

    fn container(probe: Probe) -> Container {
        Container::new(registry! {
            scope(App) [
                provide(instance(probe)),
                provide(|Inject(probe): Inject<Probe>| Ok(Config::of(&probe))),
                provide(|Inject(probe): Inject<Probe>| Ok(Arc::new(SystemClock::of(&probe)) as Arc<dyn Clock>)),
            ],
            scope(Request) [
                provide(declare::<Meta>()),
                provide(declare::<Enlistment>()),
                provide(|Inject(probe): Inject<Probe>, Inject(meta): Inject<Meta>| Ok(Session::of(&probe, meta))),
                provide(|Inject(session): Inject<Session>| Ok(Arc::new(InSession::of(session)) as Arc<dyn Repository>)),
                provide(|Inject(probe): Inject<Probe>| Ok(Stamp::of(&probe)), config = Caching { cache_provides: false }),
                provide(|Inject(probe): Inject<Probe>| {
                    Failing::of(&probe).map_err(|error| InstantiateErrorKind::Custom(io::Error::other(error).into()))
                }),
                provide(|Inject(probe): Inject<Probe>| Ok(Panicking::of(&probe))),
                provide(|Inject(probe): Inject<Probe>, Inject(enlistment): Inject<Enlistment>| {
                    Ok(Work::enlisted(&probe, &enlistment))
                }),
            ],
        })
    }

    fn cyclic() -> Container {
        Container::new(cyclic())
    }
}

pub(super) fn cyclic() -> Registry {
    // A registry that is whole does not even compile with a cycle.
    let chicken = registry! {
        provide(App, declare::<Egg>()),
        provide(App, |Inject(_): Inject<Egg>| Ok(Chicken)),
    };
    let egg = registry! {
        provide(App, declare::<Chicken>()),
        provide(App, |Inject(_): Inject<Chicken>| Ok(Egg)),
    };
    registry! { extend(chicken.into_registry(), egg.into_registry()) }.into_registry()
}

diator_testkit::container_conformance!(Froodi);
