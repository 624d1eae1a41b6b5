//! Where handlers get their dependencies from.

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

/// Gives handlers their dependencies.
///
/// [`Services`] is the built-in one. Implement this to let handlers be resolved from another. An implementation must pass
/// the conformance suite `diator_testkit::container`: the package `diator-testkit` says how.
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
/// - `open` is called once for a unit of work; again only where a nested request opened the scope, failed, and was undone with
///   it, and for each further attempt of a middleware.
/// - All of it may be called from several threads at once.
/// - An implementation must give the same answers each time: the mediator decides in `build()` which handlers it builds once.
/// - An implementation must not block: where something takes time, `open` and [`Scope::resolve`] answer with a future.
/// - A panic passes out of `build()`, or ends the message as a panic of its handler would: its unit of work rolls back.
pub trait Container: Send + Sync + 'static {
    /// How long the service lives; [`Lifetime::Missing`] if there is none.
    fn lifetime(&self, key: &DependencyKey) -> Lifetime;

    /// Whether the service commits or rolls back with its message.
    ///
    /// `build()` asks it for the fields of handlers whose type is a [`UnitOfWork`], for the unit of work of the outbox, and for
    /// nothing else.
    fn enlisted(&self, _key: &DependencyKey) -> Enlisted {
        Enlisted::CannotTell
    }

    /// The services that commit or roll back with a message which needs them, in any order, each once and without its aliases.
    ///
    /// `build()` asks for them where there is an outbox, to report those beside the [outbox's
    /// own](crate::Outbox::unit_of_work). None means that the container does not know: then the fields of handlers tell.
    fn units_of_work(&self) -> Vec<DependencyKey> {
        Vec::new()
    }

    /// What the container has in the place of a service that it lacks, and what to do about it: one sentence.
    ///
    /// `build()` shows it as the remedy.
    fn hint(&self, _key: &DependencyKey) -> Option<String> {
        None
    }

    /// Everything that is wrong with the registrations themselves, such as a cycle.
    ///
    /// # Errors
    ///
    /// One error for each problem, in a stable order; `build()` reports them all.
    fn validate(&self) -> Result<(), Vec<BoxError>> {
        Ok(())
    }

    /// Puts a service into its place whose lifetime is [`Lifetime::Singleton`].
    ///
    /// The same key must get the same service each time.
    ///
    /// # Errors
    ///
    /// The service cannot be built: `build()` reports it as a
    /// [`ProblemKind::Container`](crate::registry::ProblemKind::Container), with the text of the error.
    fn singleton(&self, key: &DependencyKey, into: ServiceSlot<'_>) -> Result<(), BoxError>;

    /// Opens the scope of one unit of work; `meta` is what its message carries, and `kind` what that message is.
    ///
    /// A database may be asked for a transaction that only reads where the kind is [`MessageKind::Query`]. It is the kind of the
    /// message that the unit of work belongs to: a query that a command sends gets the command's scope. Where the handler of an
    /// event has a unit of work of its own, as each `after_commit` handler has, it is that event's.
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
/// - Either `close` is called once, or the scope is dropped, and dropping it means failure: whatever it holds
///   must then roll back in its synchronous `Drop`. That is how a message ends whose future was
///   dropped or whose handler panicked.
/// - The services of one scope are for one message and what it causes within its unit of work: its nested requests and the
///   handlers of its domain events. An `after_commit` handler, and each handler of a message that arrives, has a scope of its
///   own.
/// - It may be asked from several threads at once, and must give them all the same scoped service.
pub trait Scope: Send + Sync {
    /// Puts a service into its place; the same one for a scoped service each time it is asked for.
    ///
    /// `meta` is what the scope was opened for; it is given again so that a scope need not keep it.
    ///
    /// The mediator asks for the fields of a handler one after the other, in their order, and asks for all of them even if one
    /// fails.
    ///
    /// # Errors
    ///
    /// The message fails as [`SendError::Resolve`](crate::SendError::Resolve), with the texts of all fields that failed.
    /// [`NotRegistered`] for this very key is no failure of an `Option<Arc<T>>`: the field is `None`. After an error the service
    /// may be asked for again, by the next attempt or by a further handler.
    fn resolve<'a>(&'a self, key: &DependencyKey, meta: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a>;

    /// Marks the place to which a nested request that fails is undone.
    ///
    /// `None` says that the scope can only be undone as a whole: then a nested request that fails leaves nothing but
    /// [`SendError::RolledBack`](crate::SendError::RolledBack) for the message that it belongs to. Nothing must happen
    /// before the future is polled: it is also asked for to see whether there is one.
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
    /// - On success the future comes to its end also if the sender goes away: a task of the sender's tokio runtime goes on with it then,
    ///   or, for a sender that is no task, from the start. The end of that runtime drops it; where there is no runtime, it runs in the
    ///   sender's future.
    /// - On failure it runs in the sender's future, and is dropped with that if the sender goes away: what has not rolled back by
    ///   then must do so in its `Drop`.
    ///
    /// # Errors
    ///
    /// On success the message fails as [`SendError::Commit`](crate::SendError::Commit), with the outcome that the error names,
    /// and nothing is published. On failure the error is logged: the message fails for its own reason.
    fn close(self: Box<Self>, outcome: Outcome) -> Closing;
}

impl dyn Scope + '_ {
    /// The service itself, for code that has a scope and knows what it wants.
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

/// The answer to [`Scope::resolve`]: the service is in its slot, or cannot be had; or it takes time, such as a connection.
///
/// Nothing must happen before the future is polled: it may be dropped, and asked for again.
pub type Resolving<'a> = MaybeReady<'a, Result<(), BoxError>>;

/// The answer to [`Container::open`].
pub type Opening<'a> = MaybeReady<'a, Result<Box<dyn Scope>, BoxError>>;

/// The answer to [`Scope::close`]: closed, or could not commit; what takes time is a commit.
pub type Closing = MaybeReady<'static, Result<(), CommitError>>;
