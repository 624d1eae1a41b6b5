use std::error::Error;
use std::iter;
use std::time::Duration;

/// A message took longer than its limit, and was rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message took longer than {limit:?}")]
#[non_exhaustive]
pub struct TimedOut {
    /// The longest time that the message was allowed to take.
    pub limit: Duration,
}

/// The time-out among what caused the error.
pub(crate) fn timed_out<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TimedOut> {
    iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}
