use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use di::{ServiceCollection, ServiceLifetime, ServiceProvider, Type, ValidationError};

use super::{
    Closing, Container, DependencyKey, Enlistment, Lifetime, NotRegistered, Opening, Outcome, Resolving, Savepoint,
    Scope, ServiceSlot,
};
use crate::{BoxError, BoxFuture, MessageKind, Meta};

/// What a [`ServiceProvider`] is asked about one type.
#[derive(Clone, Copy)]
pub(super) struct Question {
    service: fn() -> Type,
    get: fn(&ServiceProvider, &DependencyKey, ServiceSlot<'_>) -> Result<(), BoxError>,
}

impl Question {
    pub(super) const fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self { service: Type::of::<T>, get: get::<T> }
    }
}

fn get<T: ?Sized + Send + Sync + 'static>(
    provider: &ServiceProvider,
    key: &DependencyKey,
    mut into: ServiceSlot<'_>,
) -> Result<(), BoxError> {
    into.put(provider.get::<T>().ok_or_else(|| NotRegistered::new(*key))?)
}

/// The services of a [`ServiceCollection`] of `more-di`, for the mediator.
///
/// The container is made of the collection, and not of a [`ServiceProvider`], because only the collection knows how
/// long its services live. Singletons are shared with every provider that is built from the same collection.
///
/// Each message has a scope of its own. Every service may ask for a `Ref<Meta>`, the message's own data, and for a
/// `Ref<Enlistment>`, in which it enlists itself to commit or roll back with the message.
///
/// `build()` reports a handler's dependency that the collection lacks, and what `more-di` finds wrong with the collection
/// itself. Opening a scope copies the registrations: this crate does so for every message whose handler needs a service
/// that is no singleton.
pub struct MoreDi {
    provider: Result<ServiceProvider, ValidationError>,
    lifetimes: HashMap<Type, Lifetime>,
}

impl MoreDi {
    /// Makes a container of the services that are registered so far.
    #[must_use]
    pub fn new(services: &ServiceCollection) -> Self {
        let mut seeded = ServiceCollection::new();
        for service in services {
            seeded.add(service.clone());
        }
        seeded
            .add(di::scoped_factory(|_| Arc::new(Seed::default())))
            .add(di::scoped_factory(|scope| scope.get_required::<Seed>().meta()))
            .add(di::scoped_factory(|scope| scope.get_required::<Seed>().enlistment()));
        let lifetimes = seeded.iter().map(|service| (service.service_type().clone(), lifetime(service.lifetime())));
        Self { lifetimes: lifetimes.collect(), provider: seeded.build_provider() }
    }

    fn provider(&self) -> Result<&ServiceProvider, BoxError> {
        self.provider.as_ref().map_err(|error| error.clone().into())
    }
}

fn lifetime(lifetime: ServiceLifetime) -> Lifetime {
    match lifetime {
        ServiceLifetime::Singleton => Lifetime::Singleton,
        ServiceLifetime::Scoped => Lifetime::Scoped,
        ServiceLifetime::Transient => Lifetime::Transient,
    }
}

/// Where a scope keeps what it was opened for: `more-di` takes no values for one scope.
#[derive(Default)]
struct Seed {
    meta: OnceLock<Arc<Meta>>,
    enlistment: OnceLock<Arc<Enlistment>>,
}

impl Seed {
    fn meta(&self) -> Arc<Meta> {
        self.meta.get_or_init(Arc::default).clone()
    }

    fn enlistment(&self) -> Arc<Enlistment> {
        self.enlistment.get_or_init(Arc::default).clone()
    }
}

impl fmt::Debug for MoreDi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoreDi").field("services", &self.lifetimes.len()).finish_non_exhaustive()
    }
}

impl Container for MoreDi {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        self.lifetimes.get(&(key.more_di().service)()).copied().unwrap_or(Lifetime::Missing)
    }

    fn validate(&self) -> Result<(), Vec<BoxError>> {
        self.provider().map(drop).map_err(|error| vec![error])
    }

    fn singleton(&self, key: &DependencyKey, into: ServiceSlot<'_>) -> Result<(), BoxError> {
        (key.more_di().get)(self.provider()?, key, into)
    }

    fn open<'a>(&'a self, meta: &'a Meta, kind: MessageKind) -> Opening<'a> {
        Opening::Ready(self.provider().map(|provider| Box::new(OpenScope::new(provider, meta, kind)) as _))
    }
}

/// The services of one message.
struct OpenScope {
    provider: ServiceProvider,
    enlistment: Arc<Enlistment>,
}

impl OpenScope {
    fn new(provider: &ServiceProvider, meta: &Meta, kind: MessageKind) -> Self {
        let provider = provider.create_scope();
        let seed = provider.get_required::<Seed>();
        seed.meta.get_or_init(|| Arc::new(meta.clone()));
        seed.enlistment.get_or_init(|| Arc::new(Enlistment::of(kind)));
        Self { enlistment: seed.enlistment(), provider }
    }
}

impl Scope for OpenScope {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a> {
        Resolving::Ready((key.more_di().get)(&self.provider, key, into))
    }

    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        self.enlistment.savepoint()
    }

    fn close(self: Box<Self>, outcome: Outcome) -> Closing {
        self.enlistment.close(outcome)
    }
}
