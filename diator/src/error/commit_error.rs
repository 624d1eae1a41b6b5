use std::error::Error;
use std::fmt;

use crate::BoxError;

/// What is known about a commit that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
// A whole word: a `SendError` is then moved by words, which its reader need not wait for.
#[repr(usize)]
pub enum CommitOutcome {
    /// Nothing was written: another attempt does nothing twice.
    RolledBack,
    /// The connection broke at the wrong moment: it may have been written or not. Only an idempotent request should be tried
    /// again.
    Unknown,
}

/// A scope could not close as a success.
///
/// Plain errors convert into one whose outcome is [`CommitOutcome::Unknown`]: say
/// [`CommitError::rolled_back`] only where the database has confirmed it.
///
/// It is no `std::error::Error`: the sender gets its source in [`SendError::Commit`](crate::SendError::Commit).
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
    /// The database confirmed that nothing was written.
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
