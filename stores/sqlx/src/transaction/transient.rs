use std::error::Error as StdError;

use diator::{BoxError, SendError};
use sqlx::error::DatabaseError;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
use super::driver::Driver as _;
use super::driver::find;
use super::queue::NoTurn;

/// Whether a failure of the database is temporary: a retry may succeed.
///
/// It serves as a rule of a [`RetryMiddleware`](diator::middleware::RetryMiddleware), which never repeats a request that may have
/// committed. It searches the sources of the error, and a handler's error that is a [`BoxError`]. A request with an error type of its
/// own needs a rule of its own, and the type must have a `source()`: `when::<R>(|error| matches!(error,
/// SendError::Handler(error) if is_transient(error)))`.
///
/// | database | temporary failures |
/// |---|---|
/// | both | no connection of the pool became free in time; the connection was lost |
/// | PostgreSQL | serialization failure `40001`, deadlock `40P01`, lock not available `55P03`, a transaction that was idle for too long `25P03`, too many connections `53300`, shutdown and start-up `57P01` to `57P03` |
/// | SQLite | `SQLITE_BUSY` and `SQLITE_LOCKED`, with their extended codes; other transactions of the store were writing for too long |
///
/// # Example
///
/// ```
/// use diator::SendError;
/// use diator::middleware::{RetryMiddleware, RetryPolicy};
/// use diator_sqlx::is_transient;
///
/// let retry = RetryMiddleware::new(RetryPolicy::new())?.when_any(is_transient);
/// # let _ = retry;
/// assert!(is_transient(&sqlx::Error::PoolTimedOut));
/// assert!(is_transient(&SendError::<diator::BoxError>::Handler(sqlx::Error::PoolTimedOut.into())));
/// assert!(!is_transient(&sqlx::Error::RowNotFound));
/// # Ok::<_, diator::BoxError>(())
/// ```
#[must_use]
pub fn is_transient(error: &(dyn StdError + 'static)) -> bool {
    let error = match error.downcast_ref::<SendError<BoxError>>() {
        Some(SendError::Handler(handler)) => &**handler,
        _ => error,
    };
    if find::<NoTurn>(error).is_some() {
        return true;
    }
    match find::<sqlx::Error>(error) {
        Some(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => true,
        Some(sqlx::Error::Database(error)) => answer_is_transient(&**error),
        _ => false,
    }
}

#[allow(unused_variables, reason = "without a database there is no answer")]
fn answer_is_transient(error: &(dyn DatabaseError + 'static)) -> bool {
    #[cfg(feature = "postgres")]
    if sqlx::Postgres::is_transient(error) {
        return true;
    }
    #[cfg(feature = "sqlite")]
    if sqlx::Sqlite::is_transient(error) {
        return true;
    }
    false
}
