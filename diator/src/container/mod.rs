//! Where handlers get their dependencies from.

#[cfg(feature = "dill")]
mod dill;
#[cfg(feature = "froodi")]
mod froodi;
mod identity;
mod key;
#[cfg(feature = "more-di")]
mod more_di;
mod services;
mod unit_of_work;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::location::Location;
use crate::{BoxError, BoxFuture, Meta};

pub(crate) use self::identity::TypeMap;
pub use self::key::{DependencyKey, Place, Slot};
#[cfg(feature = "more-di")]
pub use self::more_di::MoreDi;
pub use self::services::{OwnedServiceScope, ProvidedFrom, ServiceScope, Services};
pub use self::unit_of_work::{Enlistment, NotAUnitOfWork, Savepoint, Savepoints, UnitOfWork};

/// How long a service lives, as far as its container knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lifetime {
    /// One for the whole program: a handler that needs only such services is built once.
    Singleton,
    /// One for each scope, and so for each message.
    Scoped,
    /// A new one each time it is asked for.
    Transient,
    /// The container cannot tell: treated like [`Scoped`](Self::Scoped).
    Unknown,
    /// The container has several and no rule which of them is meant: a problem that `build()` reports.
    Ambiguous,
    /// The container has none: a problem that `build()` reports.
    Missing,
}

impl Lifetime {
    /// The word for it, such as `singleton` or `scoped`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Singleton => "singleton",
            Self::Scoped => "scoped",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
            Self::Ambiguous => "ambiguous",
            Self::Missing => "missing",
        }
    }
}

/// Whether a service that is a unit of work ends with its message, as far as its container knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enlisted {
    /// It commits or rolls back with its message.
    Yes,
    /// It is only dropped, and so never commits: a problem that `build()` reports.
    No {
        /// Where it was registered, if the container knows.
        registered: Option<Location>,
    },
    /// The container does not know, or has no such service: `build()` says nothing. So it is where a service enlists itself when
    /// it is built, with an [`Enlistment`].
    CannotTell,
}

/// How a unit of work ended: whether its scope commits or rolls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The handler and all domain-event handlers succeeded: commit.
    Success,
    /// One of them failed: roll back.
    Failure,
}

/// What is known about a commit that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
// A whole word: a `SendError` is then moved by words, which its reader need not wait for.
#[repr(usize)]
pub enum CommitOutcome {
    /// Nothing was written.
    RolledBack,
    /// The connection broke at the wrong moment: it may have been written or not.
    Unknown,
}

/// A scope could not close as a success.
///
/// Plain errors convert into one whose outcome is [`CommitOutcome::Unknown`]: say
/// [`CommitError::rolled_back`] only where the data base has confirmed it.
pub struct CommitError {
    outcome: CommitOutcome,
    source: BoxError,
}

impl CommitError {
    /// The data base confirmed that nothing was written.
    pub fn rolled_back(source: impl Into<BoxError>) -> Self {
        Self { outcome: CommitOutcome::RolledBack, source: source.into() }
    }

    /// Nobody knows whether it was written.
    pub fn unknown(source: impl Into<BoxError>) -> Self {
        Self { outcome: CommitOutcome::Unknown, source: source.into() }
    }

    /// What is known about it.
    #[must_use]
    pub fn outcome(&self) -> CommitOutcome {
        self.outcome
    }

    /// The cause.
    #[must_use]
    pub fn into_source(self) -> BoxError {
        self.source
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for CommitError {
    fn from(source: E) -> Self {
        Self::unknown(source)
    }
}

impl fmt::Debug for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitError").field("outcome", &self.outcome).field("source", &self.source).finish()
    }
}

/// What is wrong with a registration, for those containers that know where it was made.
#[derive(Debug)]
pub(crate) struct Misregistered {
    pub(crate) location: Location,
    pub(crate) source: BoxError,
}

impl fmt::Display for Misregistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl Error for Misregistered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// The container has no such service.
///
/// A container that cannot tell [`Lifetime::Missing`] answers with it, so that an `Option<Arc<T>>` is `None`.
#[derive(Debug, thiserror::Error)]
#[error("the container has no `{}`", .key.name())]
pub struct NotRegistered {
    key: DependencyKey,
}

impl NotRegistered {
    /// There is nothing under this key.
    #[must_use]
    pub fn new(key: DependencyKey) -> Self {
        Self { key }
    }

    /// Whether the error says so of this key, and not of something that the service needs.
    pub(crate) fn is(error: &BoxError, key: &DependencyKey) -> bool {
        error.downcast_ref::<Self>().is_some_and(|missing| missing.key == *key)
    }
}

/// The answer to [`Scope::resolve`].
#[must_use]
pub enum Resolving<'a> {
    /// The service is in its place, or cannot be had.
    Ready(Result<(), BoxError>),
    /// The service takes time: a connection, a transaction. Nothing must happen before the future is polled: it may be
    /// dropped, and asked for again.
    Pending(BoxFuture<'a, Result<(), BoxError>>),
}

/// The answer to [`Container::open`].
#[must_use]
pub enum Opening<'a> {
    /// The scope is open, or cannot be opened.
    Ready(Result<Box<dyn Scope>, BoxError>),
    /// Opening takes time.
    Pending(BoxFuture<'a, Result<Box<dyn Scope>, BoxError>>),
}

/// The answer to [`Scope::close`].
#[must_use]
pub enum Closing {
    /// It is closed, or could not commit.
    Ready(Result<(), CommitError>),
    /// Closing takes time: a commit.
    Pending(BoxFuture<'static, Result<(), CommitError>>),
}

impl fmt::Debug for Resolving<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(resolved) => f.debug_tuple("Ready").field(resolved).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

impl fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(opened) => f.debug_tuple("Ready").field(&opened.as_ref().map(drop)).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(closed) => f.debug_tuple("Ready").field(closed).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

/// Gives handlers their dependencies.
///
/// [`Services`] is the built-in one. Implement this to let handlers be resolved from another. An implementation must pass
/// the conformance suite `diator_testkit::container`: the package `diator-testkit` says how.
///
/// # Guarantees
///
/// `validate`, `enlisted` and `singleton` are called while the mediator is built, never while a message runs; `lifetime` too, except
/// for the `Option<Arc<T>>` of a handler that is built for each message.
/// `open` is called only if the handlers of a unit of work need a service that is no singleton, and then once; again
/// only where a nested request opened the scope, failed, and was undone with it. All of it may be called from several
/// threads at once.
pub trait Container: Send + Sync + 'static {
    /// How long the service lives; [`Lifetime::Missing`] if there is none.
    fn lifetime(&self, key: &DependencyKey) -> Lifetime;

    /// Whether the service commits or rolls back with its message.
    ///
    /// `build()` asks it for the fields of handlers whose type is a [`UnitOfWork`], and for nothing else.
    fn enlisted(&self, _key: &DependencyKey) -> Enlisted {
        Enlisted::CannotTell
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
    /// # Errors
    ///
    /// The service cannot be built.
    fn singleton(&self, key: &DependencyKey, into: Place<'_>) -> Result<(), BoxError>;

    /// Opens the scope of one unit of work; `meta` is what its message carries.
    fn open<'a>(&'a self, meta: &'a Meta) -> Opening<'a>;
}

/// The services of one unit of work.
///
/// # Guarantees
///
/// Either `close` is called once, or the scope is dropped, and dropping it means failure: whatever it holds
/// must then roll back in its synchronous `Drop`. That is how a message ends whose future was
/// dropped or whose handler panicked.
pub trait Scope: Send + Sync {
    /// Puts a service into its place; the same one for a scoped service each time it is asked for.
    ///
    /// `meta` is what the scope was opened for; it is given again so that a scope need not keep it.
    fn resolve<'a>(&'a self, key: &DependencyKey, meta: &'a Meta, into: Place<'a>) -> Resolving<'a>;

    /// Marks the place to which a nested request that fails is undone.
    ///
    /// `None` says that the scope can only be undone as a whole: then a nested request that fails leaves nothing but
    /// [`SendError::RolledBack`](crate::SendError::RolledBack) for the message that it belongs to. Nothing must happen
    /// before the future is polled: it is also asked for to see whether there is one.
    fn savepoint(&self) -> Option<BoxFuture<'_, Result<Box<dyn Savepoint>, BoxError>>> {
        None
    }

    /// Ends the unit of work.
    ///
    /// On [`Outcome::Success`] the implementor must make sure that the commit happened: PostgreSQL answers
    /// the COMMIT of an aborted transaction with ROLLBACK, and its drivers report `Ok`.
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
        match self.resolve(key, meta, Place::new(&mut slot)) {
            Resolving::Ready(resolved) => resolved?,
            Resolving::Pending(resolving) => resolving.await?,
        }
        slot.ok_or_else(|| unanswered(key))
    }
}

/// A mistake in a container, which said that it had put a service in its place.
pub(crate) fn unanswered(key: &DependencyKey) -> BoxError {
    format!("the container put nothing in the place of `{}`", key.name()).into()
}
