use std::error::Error;
use std::fmt;

use crate::BoxError;

/// Whether a failed commit may have written something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
// A whole word: a `SendError` is then moved by words, which its reader need not wait for.
#[repr(usize)]
pub enum CommitOutcome {
    /// Nothing was written: a retry cannot do anything twice.
    RolledBack,
    /// The connection broke during the commit: the database may or may not have written it. Only an idempotent request
    /// should be retried.
    Unknown,
}

/// The error of a scope that could not close as a success.
///
/// Every other error converts into a `CommitError` with [`CommitOutcome::Unknown`]. Use [`CommitError::rolled_back`]
/// only if the database has confirmed the rollback.
///
/// It does not implement `std::error::Error`: the sender gets its source in
/// [`SendError::Commit`](crate::SendError::Commit).
///
/// # Example
///
/// ```
/// use std::io;
/// use diator::container::{CommitError, CommitOutcome};
///
/// fn write() -> Result<(), CommitError> {
///     Err(io::Error::from(io::ErrorKind::BrokenPipe))?
/// }
/// assert_eq!(write().unwrap_err().outcome(), CommitOutcome::Unknown);
/// assert_eq!(CommitError::rolled_back("deadlock").outcome(), CommitOutcome::RolledBack);
/// ```
pub struct CommitError {
    outcome: CommitOutcome,
    source: BoxError,
}

impl CommitError {
    /// The database has confirmed that nothing was written.
    pub fn rolled_back(source: impl Into<BoxError>) -> Self {
        Self { outcome: CommitOutcome::RolledBack, source: source.into() }
    }

    /// Nobody knows whether the database has written anything.
    pub fn unknown(source: impl Into<BoxError>) -> Self {
        Self { outcome: CommitOutcome::Unknown, source: source.into() }
    }

    /// Whether the database may have written something.
    #[must_use]
    pub fn outcome(&self) -> CommitOutcome {
        self.outcome
    }

    /// The error with which the commit failed.
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
