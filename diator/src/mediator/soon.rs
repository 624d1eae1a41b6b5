use std::future::ready;

use super::dispatch::Failure;
use crate::BoxFuture;

/// What is mostly there at once, and then costs neither a box nor the moves of a future.
pub(super) enum Soon<'a, T> {
    Now(T),
    Later(BoxFuture<'a, Result<T, Failure>>),
}

impl<'a, T: Send + 'a> Soon<'a, T> {
    pub(super) fn later(rest: impl Future<Output = Result<T, Failure>> + Send + 'a) -> Self {
        Self::Later(Box::pin(rest))
    }

    /// For where a future more or less does not matter.
    pub(super) async fn get(self) -> Result<T, Failure> {
        match self {
            Self::Now(output) => Ok(output),
            Self::Later(rest) => rest.await,
        }
    }
}

impl<'a, T: Send + 'a> From<Result<T, Failure>> for Soon<'a, T> {
    fn from(result: Result<T, Failure>) -> Self {
        match result {
            Ok(output) => Self::Now(output),
            Err(failure) => Self::later(ready(Err(failure))),
        }
    }
}
