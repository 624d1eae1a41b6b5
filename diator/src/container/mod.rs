//! Resolves the dependencies of handlers.

#[cfg(feature = "dill")]
mod dill;
#[cfg(feature = "froodi")]
mod froodi;
mod identity;
mod key;
#[cfg(feature = "more-di")]
mod more_di;
mod registration;
mod services;
mod unit_of_work;

use std::sync::Arc;

use crate::{BoxError, BoxFuture, MessageKind, Meta};

pub(crate) use self::identity::TypeMap;
pub use self::key::{DependencyKey, ServiceSlot, Slot};
#[cfg(feature = "more-di")]
pub use self::more_di::MoreDi;
pub use self::registration::{Enlisted, Lifetime, NotRegistered};
pub(crate) use self::registration::{Misregistered, unanswered};
pub use self::services::{OwnedServiceScope, ProvidedFrom, ServiceScope, Services};
pub use self::unit_of_work::{Enlistment, NotAUnitOfWork, Savepoint, Savepoints, UnitOfWork};
pub use crate::error::{CommitError, CommitOutcome};
pub use crate::maybe_ready::MaybeReady;

/// How a unit of work ended: whether its scope commits or rolls back.
///
/// A container must commit only on [`Success`](Self::Success): a scope that is dropped has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The handler and all domain-event handlers succeeded: commit.
    Success,
    /// One of them failed: roll back.
    Failure,
}

/// Resolves the dependencies of handlers.
///
/// [`Services`] is the built-in container. Implement this trait to resolve handlers from another container. An
/// implementation must pass the conformance suite `diator_testkit::container`: the package `diator-testkit` says how.
///
/// # Guarantees
///
/// | method | when the mediator calls it |
/// |---|---|
/// | `validate` | once, in `build()` |
/// | `enlisted`, `units_of_work`, `hint` | in `build()` |
/// | `singleton` | in `build()`, for the handlers that need nothing but singletons; perhaps several times for one key |
/// | `lifetime` | in `build()`; for [`wiring`](crate::Mediator::wiring), whenever somebody asks; and while a message runs, for the `Option<Arc<T>>` of a handler that is built for each message |
/// | `open` | while a message runs, if its handlers or its outbox need a scope |
///
/// - The mediator calls `open` once for a unit of work. It calls it again only if a nested request opened the scope,
///   failed, and was undone with it, and for each further attempt of a middleware.
/// - All methods may be called from several threads at once.
/// - An implementation must give the same answers each time: the mediator decides in `build()` which handlers it builds
///   once.
/// - An implementation must not block: if something takes time, `open` and [`Scope::resolve`] must answer with a
///   future.
/// - A panic unwinds out of `build()`, or ends the message as a panic of its handler would: its unit of work rolls
///   back.
pub trait Container: Send + Sync + 'static {
    /// How long the service lives; [`Lifetime::Missing`] if there is none.
    fn lifetime(&self, key: &DependencyKey) -> Lifetime;

    /// Whether the service commits or rolls back with its message.
    ///
    /// `build()` calls it for the fields of handlers whose type is a [`UnitOfWork`], for the unit of work of the
    /// outbox, and for nothing else.
    fn enlisted(&self, _key: &DependencyKey) -> Enlisted {
        Enlisted::CannotTell
    }

    /// Lists the services that commit or roll back with a message that needs them, in any order, each once and without
    /// its aliases.
    ///
    /// `build()` calls it if there is an outbox, to report the services beside the
    /// [outbox's own](crate::Outbox::unit_of_work). An empty list means that the container does not know: `build()`
    /// then looks at the fields of the handlers.
    fn units_of_work(&self) -> Vec<DependencyKey> {
        Vec::new()
    }

    /// Says in one sentence what the container has in place of a service that it lacks, and what to do about it.
    ///
    /// `build()` shows it as the remedy.
    fn hint(&self, _key: &DependencyKey) -> Option<String> {
        None
    }

    /// Checks the registrations themselves, for example for a cycle.
    ///
    /// # Errors
    ///
    /// One error for each problem, in a stable order; `build()` reports them all.
    fn validate(&self) -> Result<(), Vec<BoxError>> {
        Ok(())
    }

    /// Puts a service whose lifetime is [`Lifetime::Singleton`] into its place.
    ///
    /// The same key must get the same service each time.
    ///
    /// # Errors
    ///
    /// The service cannot be built: `build()` reports it as a
    /// [`ProblemKind::Container`](crate::registry::ProblemKind::Container), with the text of the error.
    fn singleton(&self, key: &DependencyKey, into: ServiceSlot<'_>) -> Result<(), BoxError>;

    /// Opens the scope of one unit of work; `meta` and `kind` are those of its message.
    ///
    /// For [`MessageKind::Query`], a container may open a transaction that only reads. The kind is that of the message
    /// to which the unit of work belongs: a query that a command sends gets the command's scope. If the handler of an
    /// event has a unit of work of its own, as each `after_commit` handler has, the kind is that of the event.
    ///
    /// The future may be dropped before its end, if the sender of the message goes away: nothing must then stay open.
    ///
    /// # Errors
    ///
    /// The message fails as [`SendError::Scope`](crate::SendError::Scope), whose source is the error.
    fn open<'a>(&'a self, meta: &'a Meta, kind: MessageKind) -> Opening<'a>;
}

/// The services of one unit of work.
///
/// # Guarantees
///
/// - The mediator either calls `close` once, or drops the scope. Dropping the scope means failure: whatever it holds
///   must then roll back in its synchronous `Drop`. A message whose future was dropped, or whose handler panicked, ends
///   in this way.
/// - The services of one scope serve one message and what it causes within its unit of work: its nested requests and
///   the handlers of its domain events. An `after_commit` handler, and each handler of a message that arrives, has a
///   scope of its own.
/// - Several threads may call it at once, and must all get the same scoped service.
pub trait Scope: Send + Sync {
    /// Puts a service into its place; a scoped service must be the same one each time.
    ///
    /// `meta` is the one for which the scope was opened; the mediator passes it again so that a scope need not keep it.
    ///
    /// The mediator resolves the fields of a handler one after the other, in their order, and resolves all of them even
    /// if one fails.
    ///
    /// # Errors
    ///
    /// The message fails as [`SendError::Resolve`](crate::SendError::Resolve), with the texts of all fields that failed.
    /// [`NotRegistered`] for this very key does not fail an `Option<Arc<T>>`: the field is `None`. After an error the
    /// next attempt, or another handler, may ask for the service again.
    fn resolve<'a>(&'a self, key: &DependencyKey, meta: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a>;

    /// Marks the place to which a nested request that fails is undone.
    ///
    /// `None` means that the scope can only be undone as a whole: if a nested request fails, its message can then only
    /// end as [`SendError::RolledBack`](crate::SendError::RolledBack). Nothing must happen before the future is polled:
    /// the mediator also calls this method only to see whether there is a savepoint.
    ///
    /// The mediator asks for one before each nested request for which the scope is open already.
    ///
    /// # Errors
    ///
    /// The nested request fails as [`SendError::Scope`](crate::SendError::Scope), before its handler runs.
    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        None
    }

    /// Ends the unit of work.
    ///
    /// On [`Outcome::Success`] the implementor must make sure that the commit happened: PostgreSQL answers
    /// the COMMIT of an aborted transaction with ROLLBACK, and its drivers report `Ok`.
    ///
    /// # Guarantees
    ///
    /// - [`Outcome::Success`] comes only after the handler and all handlers of domain events have succeeded and the outbox has
    ///   staged its messages. A query's scope commits too.
    /// - On success the future comes to its end even if the sender goes away: a task of the sender's tokio runtime then
    ///   takes it over. For a sender that is not a task, such a task runs it from the start. The end of that runtime
    ///   drops the future. Without a runtime, it runs in the sender's future.
    /// - On failure the future runs in the sender's future, and is dropped with it if the sender goes away: whatever
    ///   has not rolled back by then must roll back in its `Drop`.
    ///
    /// # Errors
    ///
    /// On success the message fails as [`SendError::Commit`](crate::SendError::Commit), with the outcome that the error names,
    /// and nothing is published. On failure the error is logged: the message fails for its own reason.
    fn close(self: Box<Self>, outcome: Outcome) -> Closing;
}

impl dyn Scope + '_ {
    /// Resolves a service, for code that has a scope and names the type.
    ///
    /// # Errors
    ///
    /// The container has no such service, or cannot build it.
    pub async fn get<T: ?Sized + Send + Sync + 'static>(&self, meta: &Meta) -> Result<Arc<T>, BoxError> {
        self.find(&DependencyKey::of::<T>(), meta).await
    }

    pub(crate) async fn find<T>(&self, key: &DependencyKey, meta: &Meta) -> Result<Arc<T>, BoxError>
    where
        T: ?Sized + Send + Sync + 'static,
    {
        let mut slot = None;
        match self.resolve(key, meta, ServiceSlot::new(&mut slot)) {
            Resolving::Ready(resolved) => resolved?,
            Resolving::Pending(resolving) => resolving.await?,
        }
        slot.ok_or_else(|| unanswered(key))
    }
}

/// The answer to [`Scope::resolve`]: the service is in its slot, or an error says why not; a service that takes time,
/// such as a connection, is pending.
///
/// Nothing must happen before the future is polled: the caller may drop it, and ask again.
pub type Resolving<'a> = MaybeReady<'a, Result<(), BoxError>>;

/// The answer to [`Container::open`].
pub type Opening<'a> = MaybeReady<'a, Result<Box<dyn Scope>, BoxError>>;

/// The answer to [`Scope::close`]: the scope is closed, or could not commit; a commit that takes time is pending.
pub type Closing = MaybeReady<'static, Result<(), CommitError>>;
