//! The built-in container.

mod attempts;
mod close;
mod provider;
mod registry;
mod savepoint;
mod scope;
mod source;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::{
    CommitError, Container, DependencyKey, Enlisted, Lifetime, Misregistered, NotAUnitOfWork, Opening, Outcome,
    Resolving, ServiceSlot, UnitOfWork,
};
use crate::location::Location;
use crate::{BoxError, MessageKind, Meta};

pub use self::scope::{OwnedServiceScope, ServiceScope};
pub use self::source::ProvidedFrom;

use self::attempts::AttemptId;
use self::close::{Close, CloseRegistration, CloseUnit, OnClose};
use self::provider::{Alias, Provider, Ready, Scoped, ScopedAsync, Singleton, Transient};
use self::registry::{Registration, Registry};
use self::scope::OpenScope;

/// The built-in container.
///
/// Registering a type again replaces it, so a test can take the program's services and replace one of them with a fake.
/// A factory may ask for other services; the container shares what a factory returns as an `Arc`.
///
/// # Guarantees
///
/// - A singleton is built once, when the mediator is built. Clones share it until one of them is changed, which builds
///   its singletons anew.
/// - A scoped service is built at most once for each message, even if several ask for it concurrently, and never after
///   its message has ended.
/// - A unit of work that is registered as something else, and so would never commit, does not compile; `build()`
///   reports those that the compiler cannot see.
/// - A factory that fails or panics leaves nothing behind: the next one that asks runs it again.
/// - Cycles are errors that show the chain, even if several tasks close a cycle together.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use diator::Services;
///
/// trait Clock: Send + Sync {}
/// struct SystemClock;
/// impl Clock for SystemClock {}
///
/// struct Settings { url: String }
/// struct Pool { url: String }
/// struct SqlOrders { pool: Arc<Pool> }
/// trait Orders: Send + Sync {}
/// impl Orders for SqlOrders {}
///
/// let services = Services::new()
///     .value(Settings { url: "sqlite::memory:".to_owned() })
///     .singleton::<dyn Clock>(Arc::new(SystemClock))
///     .singleton_with(|scope| Ok(Pool { url: scope.get::<Settings>()?.url.clone() }))
///     .scoped(|scope| Ok(SqlOrders { pool: scope.get()? }))
///     .alias::<dyn Orders, SqlOrders>(|orders| orders);
/// # let _ = (services, |pool: Pool, orders: SqlOrders| (pool.url, orders.pool));
/// ```
#[derive(Clone, Default)]
pub struct Services {
    registry: Arc<Registry>,
}

impl Services {
    /// Makes an empty container.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers an existing value, under its own type.
    ///
    /// Register an existing `Arc` with [`singleton`](Self::singleton): as a value, an `Arc<dyn Clock>` would only be
    /// found by a field of type `Arc<Arc<dyn Clock>>`, which `build()` reports.
    #[must_use]
    #[track_caller]
    pub fn value<CallUnitOfWorkInstead>(
        self,
        // Of a unit of work it cannot be inferred: call `unit_of_work`.
        value: impl NotAUnitOfWork<CallUnitOfWorkInstead> + Send + Sync + 'static,
    ) -> Self {
        self.singleton(Arc::new(value))
    }

    /// Registers an existing shared service; `T` may be a `dyn Trait`.
    ///
    /// A [`UnitOfWork`] that all messages share would never commit: `build()` reports a handler's field of such a type.
    #[must_use]
    #[track_caller]
    pub fn singleton<T: ?Sized + Send + Sync + 'static>(self, service: Arc<T>) -> Self {
        self.provide::<T>(Ready(service))
    }

    /// Registers a factory of a service that lives as long as the program; it runs when the mediator is built.
    ///
    /// # Guarantees
    ///
    /// - The thread that calls `build()` runs the factory, even if no handler needs the service. The factory runs at
    ///   most once, unless it fails.
    /// - The factory may ask for other singletons and transient services. Asking for a scoped service is an error: its
    ///   message would be over before the program.
    ///
    /// # Errors
    ///
    /// An error is a problem in the report of `build()`, with the place of this call. A panic passes out of `build()`.
    #[must_use]
    #[track_caller]
    pub fn singleton_with<T, CallUnitOfWorkInstead>(
        self,
        factory: impl Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Self
    where
        T: Send + Sync + 'static,
        T: NotAUnitOfWork<CallUnitOfWorkInstead>, // cannot be inferred if `T` is a unit of work: call `unit_of_work` instead
    {
        self.provide::<T>(Singleton::new(factory))
    }

    /// Registers a factory of a scoped service: each message has its own.
    ///
    /// # Guarantees
    ///
    /// - The factory runs when the first handler of a message needs the service, and at most once for each message,
    ///   unless it fails.
    /// - The factory runs in the task of the message, and must not block. Use [`scoped_async`](Self::scoped_async) for
    ///   a factory that takes time.
    /// - When the message ends, the container drops its reference to the service before anything commits, unless an
    ///   [`on_close`](Self::on_close) waits for the service.
    ///
    /// # Errors
    ///
    /// An error fails the message as [`SendError::Resolve`](crate::SendError::Resolve), which has its text. A panic
    /// unwinds to the sender.
    #[must_use]
    #[track_caller]
    pub fn scoped<T, CallUnitOfWorkInstead>(
        self,
        factory: impl Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Self
    where
        T: Send + Sync + 'static,
        T: NotAUnitOfWork<CallUnitOfWorkInstead>, // cannot be inferred if `T` is a unit of work: call `unit_of_work` instead
    {
        self.provide::<T>(Scoped::new(factory))
    }

    /// Registers a factory that takes time, of a scoped service such as a connection: each message has its own.
    ///
    /// A service that needs such a service must itself have a factory of this sort, which asks with
    /// [`resolve`](OwnedServiceScope::resolve).
    ///
    /// # Guarantees
    ///
    /// - The factory runs at most once for each message, unless it fails. Handlers and factories of this sort that ask meanwhile
    ///   wait for it, and block no thread.
    /// - If the future that builds the service is dropped, the next one that asks builds it anew.
    ///
    /// # Errors
    ///
    /// Those of [`scoped`](Self::scoped).
    ///
    /// # Example
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use diator::Services;
    /// # struct Connection;
    /// # struct Orders(Arc<Connection>);
    /// let services = Services::new()
    ///     .scoped_async(|_| async { Ok(Connection) })
    ///     .scoped_async(|scope| async move { Ok(Orders(scope.resolve().await?)) });
    /// # let _ = (services, |orders: Orders| orders.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn scoped_async<T, R, CallUnitOfWorkInstead>(
        self,
        factory: impl Fn(OwnedServiceScope) -> R + Send + Sync + 'static,
    ) -> Self
    where
        T: Send + Sync + 'static,
        T: NotAUnitOfWork<CallUnitOfWorkInstead>, // cannot be inferred if `T` is a unit of work: call `unit_of_work` instead
        R: Future<Output = Result<T, BoxError>> + Send + 'static,
    {
        self.provide::<T>(ScopedAsync::new(factory))
    }

    /// Registers a factory that makes a new service each time it is asked for.
    ///
    /// Each field of each handler gets a service of its own, and the container keeps none and closes none:
    /// [`on_close`](Self::on_close) is for scoped services. Errors are those of [`scoped`](Self::scoped).
    #[must_use]
    #[track_caller]
    pub fn transient<T, CallUnitOfWorkInstead>(
        self,
        factory: impl Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Self
    where
        T: Send + Sync + 'static,
        T: NotAUnitOfWork<CallUnitOfWorkInstead>, // cannot be inferred if `T` is a unit of work: call `unit_of_work` instead
    {
        self.provide::<T>(Transient::new(factory))
    }

    /// Registers a service as another type as well: `.alias::<dyn Orders, SqlOrders>(|orders| orders)`.
    ///
    /// The alias lives as long as `From` does, and is the same service: `cast` runs each time that somebody asks for
    /// the alias, and should only change the type. `From` may be registered later, and may be an alias itself.
    ///
    /// # Errors
    ///
    /// `build()` reports an alias of a service that is not registered, and aliases that lead back to themselves.
    #[must_use]
    #[track_caller]
    pub fn alias<To, From>(self, cast: impl Fn(Arc<From>) -> Arc<To> + Send + Sync + 'static) -> Self
    where
        To: ?Sized + Send + Sync + 'static,
        From: ?Sized + Send + Sync + 'static,
    {
        self.provide::<To>(Alias::new(cast))
    }

    /// Registers a function that closes a scoped service when its message ends, such as a lock that must be given back.
    ///
    /// Register a transaction with [`unit_of_work`](Self::unit_of_work) instead.
    ///
    /// The container calls `close` for each `T` that the message used, the last built first. If one cannot commit,
    /// those after it get [`Outcome::Failure`]. For a message that is dropped or panics it calls nothing: `T` is
    /// dropped, and must then roll back. `build()` reports a `T` that is not registered as scoped.
    ///
    /// # Guarantees
    ///
    /// - The container calls `close` once for each `T`, and never for one whose factory failed. A second `on_close` of
    ///   a type replaces the first.
    /// - A container with an `on_close` offers no savepoints: it could not close a `T` again. A nested request that
    ///   fails then undoes the whole message.
    ///
    /// # Errors
    ///
    /// On [`Outcome::Success`] an error fails the message as [`SendError::Commit`](crate::SendError::Commit); on
    /// [`Outcome::Failure`] it is logged.
    #[must_use]
    #[track_caller]
    pub fn on_close<T, R, RemoveThisUnitOfWorkClosesItself>(
        self,
        close: impl Fn(Arc<T>, Outcome) -> R + Send + Sync + 'static,
    ) -> Self
    where
        T: Send + Sync + 'static,
        T: NotAUnitOfWork<RemoveThisUnitOfWorkClosesItself>, // cannot be inferred if `T` is a unit of work, which closes itself
        R: Future<Output = Result<(), CommitError>> + Send + 'static,
    {
        self.closed_by::<T>(Arc::new(OnClose::new(close)))
    }

    /// Registers a factory of a scoped service that commits or rolls back with its message: a transaction.
    ///
    /// The factory takes time, like that of [`scoped_async`](Self::scoped_async): a service that needs the unit of work
    /// must ask for it with [`resolve`](OwnedServiceScope::resolve).
    ///
    /// # Guarantees
    ///
    /// The unit of work ends with the message: it commits if the handler and all domain-event handlers succeed, and
    /// rolls back if one fails. The unit of work that was built last ends first.
    ///
    /// If everything that this container closes has savepoints, a nested request that fails is undone alone: the units
    /// of work that it built roll back, and the others roll back to the place where it began.
    ///
    /// A type that is registered again, for example by a test with another `unit_of_work`, still ends with its message.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use diator::{BoxError, Services};
    /// # use diator::container::{CommitError, UnitOfWork};
    /// struct Transaction;
    ///
    /// #[diator::async_trait]
    /// impl UnitOfWork for Transaction {
    ///     async fn commit(&self) -> Result<(), CommitError> { Ok(()) }
    ///     async fn roll_back(&self) -> Result<(), BoxError> { Ok(()) }
    /// }
    ///
    /// # struct Orders(Arc<Transaction>);
    /// let services = Services::new()
    ///     .unit_of_work(|_| async { Ok(Transaction) })
    ///     .scoped_async(|scope| async move { Ok(Orders(scope.resolve().await?)) });
    /// # let _ = (services, |orders: Orders| orders.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn unit_of_work<T, F, R>(self, factory: F) -> Self
    where
        T: UnitOfWork,
        F: Fn(OwnedServiceScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, BoxError>> + Send + 'static,
    {
        self.provide::<T>(ScopedAsync::new(factory)).closed_by::<T>(Arc::new(CloseUnit::<T>::new()))
    }

    /// Registers a unit of work whose factory answers at once, so that other factories get it without waiting.
    ///
    /// In all else it is like [`unit_of_work`](Self::unit_of_work). Use it for a transaction that begins with its first
    /// statement, and for a service that collects writes until the commit.
    #[must_use]
    #[track_caller]
    pub fn unit_of_work_sync<T, F>(self, factory: F) -> Self
    where
        T: UnitOfWork,
        F: Fn(&ServiceScope<'_>) -> Result<T, BoxError> + Send + Sync + 'static,
    {
        self.provide::<T>(Scoped::new(factory)).closed_by::<T>(Arc::new(CloseUnit::<T>::new()))
    }

    /// Adds all services of a module; they replace those that are registered already.
    ///
    /// The module's units of work and `on_close` functions come along. A singleton that a mediator has built already is
    /// built anew for the next mediator.
    #[must_use]
    pub fn extend(mut self, mut module: Self) -> Self {
        module.forget_singletons();
        let Registry { providers, closes, .. } = Arc::unwrap_or_clone(module.registry);
        let registry = self.registry_mut();
        registry.providers.extend(providers);
        registry.closes.extend(closes);
        self
    }

    #[track_caller]
    fn closed_by<T: Send + Sync + 'static>(mut self, close: Arc<dyn Close>) -> Self {
        let (service, location) = (DependencyKey::of::<T>(), Location::caller());
        self.registry_mut().closes.insert(service.id(), CloseRegistration { close, service, location });
        self
    }

    #[track_caller]
    fn provide<T: ?Sized + 'static>(mut self, provider: impl Provider + 'static) -> Self {
        let registration = Registration { provider: Arc::new(provider), location: Location::caller() };
        self.registry_mut().providers.insert(std::any::TypeId::of::<T>(), registration);
        self
    }

    fn registry_mut(&mut self) -> &mut Registry {
        self.forget_singletons();
        Arc::make_mut(&mut self.registry)
    }

    /// Those that are built may hold what is about to be replaced.
    fn forget_singletons(&mut self) {
        if self.registry.singletons.has_built() {
            self.registry = Arc::new(Registry::clone(&self.registry));
        }
    }

    fn singletons<'a>(&'a self, meta: &'a Meta) -> ServiceScope<'a> {
        let (registry, state) = (&self.registry, &self.registry.singletons);
        ServiceScope { registry, state, meta, kind: None, asker: AttemptId::default(), blocks: true }
    }
}

/// For a registry that is about to differ: what its singletons would be built from may be another then.
impl Container for Services {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        self.registry.lifetime(key)
    }

    fn enlisted(&self, key: &DependencyKey) -> Enlisted {
        self.registry.enlisted(key)
    }

    fn hint(&self, key: &DependencyKey) -> Option<String> {
        self.registry.hint(key)
    }

    fn units_of_work(&self) -> Vec<DependencyKey> {
        self.registry.units_of_work().collect()
    }

    fn validate(&self) -> Result<(), Vec<BoxError>> {
        let meta = Meta::new();
        let scope = self.singletons(&meta);
        let mut registrations: Vec<_> = self.registry.providers.values().collect();
        registrations.sort_by_key(|registration| registration.provider.name());
        let problem = |registration: &Registration| {
            let source = registration.provider.validate(&scope).err()?;
            Some(Misregistered { location: registration.location, source }.into())
        };
        let mut problems: Vec<_> = registrations.into_iter().filter_map(problem).collect();
        problems.extend(self.registry.unclosable().chain(self.registry.unclosed_enlistment()).map(BoxError::from));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn singleton(&self, key: &DependencyKey, into: ServiceSlot<'_>) -> Result<(), BoxError> {
        match self.singletons(&Meta::new()).find(key, into) {
            Resolving::Ready(resolved) => resolved,
            Resolving::Pending(_) => {
                Err(format!("`{}` takes time to build, and therefore is not a singleton", key.name()).into())
            }
        }
    }

    fn open<'a>(&'a self, _: &'a Meta, kind: MessageKind) -> Opening<'a> {
        Opening::Ready(Ok(Box::new(OpenScope { registry: self.registry.clone(), state: Arc::default(), kind })))
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> =
            self.registry.providers.values().map(|registration| registration.provider.name()).collect();
        names.sort_unstable();
        f.debug_tuple("Services").field(&names).finish()
    }
}
