use std::any::type_name;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::super::{DependencyKey, Lifetime, Resolving, ServiceSlot};
use super::attempts::AttemptId;
use super::scope::{OwnedServiceScope, ServiceScope};
use super::state::{Claim, Service, Waiting};
use crate::{BoxError, Meta};

/// How one type of service is had; one implementation for each lifetime.
pub(super) trait Provider: Send + Sync {
    fn name(&self) -> &'static str;

    fn lifetime(&self) -> Lifetime;

    /// For an alias: what it stands for, which decides on the lifetime.
    fn target(&self) -> Option<DependencyKey> {
        None
    }

    fn resolve<'a>(&'a self, scope: ServiceScope<'a>, into: ServiceSlot<'a>) -> Resolving<'a>;

    /// Builds a singleton, to see whether it can be built.
    fn validate(&self, _scope: &ServiceScope<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    /// The same provider, with nothing built; `None` if it builds nothing to keep.
    fn unbuilt(&self) -> Option<Arc<dyn Provider>> {
        None
    }
}

/// A service that is there already.
pub(super) struct Ready<T: ?Sized>(pub(super) Arc<T>);

impl<T: ?Sized + Send + Sync + 'static> Provider for Ready<T> {
    fn name(&self) -> &'static str {
        type_name::<T>()
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Singleton
    }

    fn resolve<'a>(&'a self, _: ServiceScope<'a>, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        Resolving::Ready(into.put(self.0.clone()))
    }
}

/// Built once.
pub(super) struct Singleton<T, F> {
    factory: Arc<F>,
    built: OnceLock<Arc<T>>,
}

impl<T, F> Singleton<T, F> {
    pub(super) fn new(factory: F) -> Self {
        Self { factory: Arc::new(factory), built: OnceLock::new() }
    }
}

impl<T, F> Singleton<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
{
    fn get(&self, scope: ServiceScope<'_>) -> Result<Arc<T>, BoxError> {
        if let Some(built) = self.built.get() {
            return Ok(built.clone());
        }
        let service = self.build(scope)?;
        let service = service.downcast::<T>().map_err(|_| "a singleton of another type was kept in its place")?;
        Ok(self.built.get_or_init(|| service).clone())
    }

    /// In the scope of the singletons, where nothing can be had that belongs to one message.
    fn build(&self, scope: ServiceScope<'_>) -> Result<Service, BoxError> {
        let (state, meta) = (&scope.registry.singletons, Meta::new());
        let asker = if scope.is_of_singletons() { scope.asker } else { AttemptId::default() };
        loop {
            match state.claim(&DependencyKey::of::<T>(), asker, false)? {
                Claim::Built(service) => return Ok(service),
                Claim::Busy(waiting) => waiting.block(),
                Claim::Mine(running) => {
                    let asker = running.id();
                    let service =
                        Arc::new((self.factory)(&ServiceScope { state, meta: &meta, kind: None, asker, ..scope })?);
                    return running.keep(service.clone()).map(|()| service as Service);
                }
            }
        }
    }
}

impl<T, F> Provider for Singleton<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        type_name::<T>()
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Singleton
    }

    fn resolve<'a>(&'a self, scope: ServiceScope<'a>, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        Resolving::Ready(self.get(scope).and_then(|service| into.put(service)))
    }

    fn validate(&self, scope: &ServiceScope<'_>) -> Result<(), BoxError> {
        match self.get(*scope) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the singleton `{}` cannot be built: {error}", self.name()).into()),
        }
    }

    fn unbuilt(&self) -> Option<Arc<dyn Provider>> {
        Some(Arc::new(Self { factory: self.factory.clone(), built: OnceLock::new() }))
    }
}

type MetaFactory = fn(&ServiceScope<'_>) -> Result<Meta, BoxError>;

/// What the mediator gives, registered or not.
pub(super) static META: Scoped<Meta, MetaFactory> =
    Scoped { factory: |scope| Ok(scope.meta().clone()), service: PhantomData };

/// Built once for each scope.
pub(super) struct Scoped<T, F> {
    factory: F,
    service: PhantomData<fn() -> T>,
}

impl<T, F> Scoped<T, F> {
    pub(super) fn new(factory: F) -> Self {
        Self { factory, service: PhantomData }
    }
}

impl<T, F> Scoped<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
{
    /// The service, or somebody to wait for.
    fn get<'a>(&self, scope: ServiceScope<'a>) -> Result<Result<Service, Waiting<'a>>, BoxError> {
        match scope.state.claim(&DependencyKey::of::<T>(), scope.asker, false)? {
            Claim::Built(service) => Ok(Ok(service)),
            Claim::Busy(waiting) => Ok(Err(waiting)),
            Claim::Mine(running) => {
                let service = Arc::new((self.factory)(&ServiceScope { asker: running.id(), ..scope })?);
                running.keep(service.clone()).map(|()| Ok(service as Service))
            }
        }
    }
}

impl<T, F> Provider for Scoped<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        type_name::<T>()
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Scoped
    }

    fn resolve<'a>(&'a self, scope: ServiceScope<'a>, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        if let Err(error) = scope.must_be_of_a_message(&DependencyKey::of::<T>()) {
            return Resolving::Ready(Err(error));
        }
        loop {
            match self.get(scope) {
                Ok(Ok(service)) => return Resolving::Ready(put::<T>(service, &mut into)),
                Err(error) => return Resolving::Ready(Err(error)),
                Ok(Err(waiting)) if scope.blocks => waiting.block(),
                // A worker of the runtime that waited here would be missed by the factory that it waits for.
                Ok(Err(waiting)) => {
                    return Resolving::Pending(Box::pin(async move {
                        let mut waiting = waiting;
                        loop {
                            waiting.ended().await;
                            match self.get(scope)? {
                                Ok(service) => return put::<T>(service, &mut into),
                                Err(again) => waiting = again,
                            }
                        }
                    }));
                }
            }
        }
    }
}

/// Built once for each scope, in its time.
pub(super) struct ScopedAsync<T, F> {
    factory: F,
    service: PhantomData<fn() -> T>,
}

impl<T, F> ScopedAsync<T, F> {
    pub(super) fn new(factory: F) -> Self {
        Self { factory, service: PhantomData }
    }
}

impl<T, F, R> Provider for ScopedAsync<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(OwnedServiceScope) -> R + Send + Sync + 'static,
    R: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    fn name(&self) -> &'static str {
        type_name::<T>()
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Scoped
    }

    fn resolve<'a>(&'a self, scope: ServiceScope<'a>, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        let key = DependencyKey::of::<T>();
        let kind = match scope.must_be_of_a_message(&key) {
            Ok(kind) => kind,
            Err(error) => return Resolving::Ready(Err(error)),
        };
        match scope.state.look(&key, scope.asker) {
            Ok(Some(built)) => return Resolving::Ready(put::<T>(built, &mut into)),
            Err(error) => return Resolving::Ready(Err(error)),
            Ok(None) => {}
        }
        // Claimed by who awaits it: one that is never polled must not keep the others waiting.
        Resolving::Pending(Box::pin(async move {
            loop {
                match scope.state.claim(&key, scope.asker, true)? {
                    Claim::Built(built) => return put::<T>(built, &mut into),
                    Claim::Busy(waiting) => waiting.ended().await,
                    Claim::Mine(running) => {
                        let service =
                            Arc::new((self.factory)(OwnedServiceScope::new(scope, kind, running.id())).await?);
                        running.keep(service.clone())?;
                        return into.put(service);
                    }
                }
            }
        }))
    }
}

/// Built each time.
pub(super) struct Transient<T, F> {
    factory: F,
    service: PhantomData<fn() -> T>,
}

impl<T, F> Transient<T, F> {
    pub(super) fn new(factory: F) -> Self {
        Self { factory, service: PhantomData }
    }
}

impl<T, F> Provider for Transient<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        type_name::<T>()
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Transient
    }

    fn resolve<'a>(&'a self, scope: ServiceScope<'a>, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        let resolved = scope.state.begin(&DependencyKey::of::<T>(), scope.asker).and_then(|running| {
            let service = (self.factory)(&ServiceScope { asker: running.id(), ..scope })?;
            into.put(Arc::new(service))
        });
        Resolving::Ready(resolved)
    }
}

/// Another service, seen as another type.
pub(super) struct Alias<To: ?Sized, From: ?Sized, F> {
    cast: F,
    types: PhantomData<fn(Arc<From>) -> Arc<To>>,
}

impl<To, From, F> Alias<To, From, F>
where
    To: ?Sized + Send + Sync + 'static,
    From: ?Sized + Send + Sync + 'static,
    F: Fn(Arc<From>) -> Arc<To> + Send + Sync + 'static,
{
    pub(super) fn new(cast: F) -> Self {
        Self { cast, types: PhantomData }
    }

    fn put(&self, service: Option<Arc<From>>, into: &mut ServiceSlot<'_>) -> Result<(), BoxError> {
        let service = service.ok_or_else(|| format!("nothing was put in the place of `{}`", type_name::<From>()))?;
        into.put((self.cast)(service))
    }
}

impl<To, From, F> Provider for Alias<To, From, F>
where
    To: ?Sized + Send + Sync + 'static,
    From: ?Sized + Send + Sync + 'static,
    F: Fn(Arc<From>) -> Arc<To> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        type_name::<To>()
    }

    /// Asked only if the aliases lead back to themselves.
    fn lifetime(&self) -> Lifetime {
        Lifetime::Unknown
    }

    fn target(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<From>())
    }

    fn resolve<'a>(&'a self, scope: ServiceScope<'a>, mut into: ServiceSlot<'a>) -> Resolving<'a> {
        let mut slot = None;
        let key = DependencyKey::of::<From>();
        // As a factory of its own, so that aliases in a circle are seen.
        let found =
            scope.state.begin(&DependencyKey::of::<To>(), scope.asker).and_then(|running| {
                match (ServiceScope { asker: running.id(), ..scope }).find(&key, ServiceSlot::new::<From>(&mut slot)) {
                    Resolving::Ready(resolved) => resolved.map(|()| true),
                    Resolving::Pending(_) => Ok(false),
                }
            });
        match found {
            Ok(true) => Resolving::Ready(self.put(slot, &mut into)),
            Err(error) => Resolving::Ready(Err(error)),
            // It takes time, and nothing has begun yet: it is asked for again, in a future that can hold the slot.
            Ok(false) => Resolving::Pending(Box::pin(async move {
                let mut slot = None;
                match scope.find(&key, ServiceSlot::new::<From>(&mut slot)) {
                    Resolving::Ready(resolved) => resolved?,
                    Resolving::Pending(resolving) => resolving.await?,
                }
                self.put(slot, &mut into)
            })),
        }
    }

    fn validate(&self, scope: &ServiceScope<'_>) -> Result<(), BoxError> {
        let (to, from) = (type_name::<To>(), type_name::<From>());
        match scope.registry.lifetime(&DependencyKey::of::<From>()) {
            Lifetime::Missing => Err(format!("`{to}` is an alias of `{from}`, which is not registered").into()),
            Lifetime::Unknown => Err(format!("`{to}` is an alias of `{from}`, which is an alias of it").into()),
            _ => Ok(()),
        }
    }
}

fn put<T: Send + Sync + 'static>(service: Service, into: &mut ServiceSlot<'_>) -> Result<(), BoxError> {
    let service = service.downcast::<T>().map_err(|_| "a service of another type was kept in its place")?;
    into.put(service)
}
