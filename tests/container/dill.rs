use std::any::Any;
use std::sync::Arc;

use diator::Meta;
use diator::container::Enlistment;
use diator_testkit::container::{
    Chicken, Clock, Config, Driver, Egg, Failing, Guarantees, InSession, Panicking, Probe, Repository, Session, Stamp,
    SystemClock, Work,
};
use dill::scopes::{Scope, Singleton, Transaction, Transient};
use dill::specs::OneOf;
use dill::{
    Builder, Catalog, CatalogBuilder, DependencyInfo, InjectionContext, InjectionError, TypeInfo, TypedBuilder,
    component, interface, scope,
};

/// What `#[component]` writes, for a service of another crate: dill's attribute writes an `impl` for the type itself.
struct Foreign<S, T> {
    scope: S,
    needs: Vec<DependencyInfo>,
    make: fn(&Catalog) -> Result<T, InjectionError>,
}

impl<S, T> Foreign<S, T> {
    fn new(scope: S, make: fn(&Catalog) -> Result<T, InjectionError>) -> Self {
        Self { scope, needs: Vec::new(), make }
    }

    fn needs<N: Send + Sync + 'static>(mut self) -> Self {
        self.needs.push(DependencyInfo::of::<N, OneOf<N>>());
        self
    }
}

impl<S: Scope + Send + Sync + 'static, T: Send + Sync + 'static> Builder for Foreign<S, T> {
    fn instance_type(&self) -> TypeInfo {
        TypeInfo::of::<T>()
    }

    fn scope_type(&self) -> TypeInfo {
        TypeInfo::of::<S>()
    }

    fn interfaces(&self, _: &mut dyn FnMut(&TypeInfo) -> bool) {}

    fn dependencies(&self, tell: &mut dyn FnMut(&DependencyInfo) -> bool) {
        self.needs.iter().all(tell);
    }

    fn metadata<'a>(&'a self, _: &mut dyn FnMut(&'a dyn Any) -> bool) {}

    fn get_any(
        &self,
        catalog: &Catalog,
        _: &InjectionContext<'_>,
    ) -> Result<Arc<dyn Any + Send + Sync>, InjectionError> {
        self.scope.get_or_create(catalog, || Ok(Arc::new((self.make)(catalog)?)))
    }
}

impl<S: Scope + Send + Sync + 'static, T: Send + Sync + 'static> TypedBuilder<T> for Foreign<S, T> {
    fn get_with_context(&self, catalog: &Catalog, context: &InjectionContext<'_>) -> Result<Arc<T>, InjectionError> {
        Ok(self.get_any(catalog, context)?.downcast().expect("it makes nothing else"))
    }

    fn bind_interfaces(&self, _: &mut CatalogBuilder) {}
}

/// Of this crate, so that dill's attribute can say which interface it has.
pub(crate) struct DillClock(SystemClock);

#[component(pub(crate))]
#[scope(Singleton)]
#[interface(dyn Clock)]
impl DillClock {
    fn new(probe: &Probe) -> Self {
        Self(SystemClock::of(probe))
    }
}

impl Clock for DillClock {
    fn number(&self) -> usize {
        self.0.number()
    }
}

struct DillRepository(InSession);

#[component]
#[scope(Transaction)]
#[interface(dyn Repository)]
impl DillRepository {
    fn new(session: Arc<Session>) -> Self {
        Self(InSession::of(session))
    }
}

impl Repository for DillRepository {
    fn session(&self) -> usize {
        self.0.session()
    }
}

struct Dill;

impl Driver for Dill {
    const GUARANTEES: Guarantees = Guarantees::none().knows_lifetimes().savepoints();

    type Container = Catalog;

    fn container(probe: Probe) -> Catalog {
        let config = Foreign::new(Singleton::new(), |catalog| Ok(Config::of(&*catalog.get_one()?)));
        let session = Foreign::new(Transaction::new(), |catalog| {
            Ok(Session::of(&*catalog.get_one()?, catalog.get_one::<Meta>()?))
        });
        let stamp = Foreign::new(Transient::new(), |catalog| Ok(Stamp::of(&*catalog.get_one()?)));
        let failing = Foreign::new(Transaction::new(), |catalog| {
            Ok(Failing::of(&*catalog.get_one()?).expect("only a factory that may fail is spoilt"))
        });
        let panicking = Foreign::new(Transaction::new(), |catalog| Ok(Panicking::of(&*catalog.get_one()?)));
        let work = Foreign::new(Transaction::new(), |catalog| {
            Ok(Work::enlisted(&*catalog.get_one()?, &*catalog.get_one::<Enlistment>()?))
        });
        let mut catalog = Catalog::builder();
        catalog.add_value(probe).add::<DillClock>().add::<DillRepository>();
        catalog.add_builder(config.needs::<Probe>());
        catalog.add_builder(session.needs::<Probe>().needs::<Meta>());
        catalog.add_builder(stamp.needs::<Probe>());
        catalog.add_builder(failing.needs::<Probe>());
        catalog.add_builder(panicking.needs::<Probe>());
        catalog.add_builder(work.needs::<Probe>().needs::<Enlistment>());
        catalog.build()
    }

    fn cyclic() -> Catalog {
        let chicken = Foreign::new(Transient::new(), |catalog| catalog.get_one::<Egg>().map(|_| Chicken));
        let egg = Foreign::new(Transient::new(), |catalog| catalog.get_one::<Chicken>().map(|_| Egg));
        let mut catalog = Catalog::builder();
        catalog.add_builder(chicken.needs::<Egg>()).add_builder(egg.needs::<Chicken>());
        catalog.build()
    }
}

diator_testkit::container_conformance!(Dill);
