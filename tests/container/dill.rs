use std::sync::Arc;

use diator::Meta;
use diator::container::Enlistment;
use dill::scopes::{Singleton, Transaction};
use dill::{Catalog, component, interface, scope};

use crate::suite::{
    Chicken, Clock, Config, Driver, Egg, Failing, Guarantees, InSession, Panicking, Probe, Repository, Session, Stamp,
    SystemClock, Work,
};

#[component(pub(crate))]
#[scope(Singleton)]
impl Config {
    fn new(probe: &Probe) -> Self {
        Self::of(probe)
    }
}

#[component(pub(crate))]
#[scope(Singleton)]
#[interface(dyn Clock)]
impl SystemClock {
    fn new(probe: &Probe) -> Self {
        Self::of(probe)
    }
}

#[component(pub(crate))]
#[scope(Transaction)]
impl Session {
    fn new(probe: &Probe, meta: Arc<Meta>) -> Self {
        Self::of(probe, meta)
    }
}

#[component(pub(crate))]
#[scope(Transaction)]
#[interface(dyn Repository)]
impl InSession {
    fn new(session: Arc<Session>) -> Self {
        Self::of(session)
    }
}

#[component(pub(crate))]
impl Stamp {
    fn new(probe: &Probe) -> Self {
        Self::of(probe)
    }
}

#[component(pub(crate))]
#[scope(Transaction)]
impl Failing {
    fn new(probe: &Probe) -> Self {
        Self::of(probe).expect("only a factory that may fail is spoilt")
    }
}

#[component(pub(crate))]
#[scope(Transaction)]
impl Panicking {
    fn new(probe: &Probe) -> Self {
        Self::of(probe)
    }
}

#[component(pub(crate))]
#[scope(Transaction)]
impl Work {
    fn new(probe: &Probe, enlistment: &Enlistment) -> Self {
        Self::enlisted(probe, enlistment)
    }
}

#[component(pub(crate))]
impl Chicken {
    fn new(egg: &Egg) -> Self {
        let _ = egg;
        Self
    }
}

#[component(pub(crate))]
impl Egg {
    fn new(chicken: &Chicken) -> Self {
        let _ = chicken;
        Self
    }
}

struct Dill;

impl Driver for Dill {
    const GUARANTEES: Guarantees = Guarantees { knows_lifetimes: true, factories_may_fail: false };

    type Container = Catalog;

    fn container(probe: Probe) -> Catalog {
        let mut catalog = Catalog::builder();
        catalog.add_value(probe).add::<Config>().add::<SystemClock>().add::<Session>().add::<InSession>();
        catalog.add::<Stamp>().add::<Failing>().add::<Panicking>().add::<Work>();
        catalog.build()
    }

    fn cyclic() -> Catalog {
        Catalog::builder().add::<Chicken>().add::<Egg>().build()
    }
}

container_conformance!(Dill);
