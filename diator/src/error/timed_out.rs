use std::error::Error;
use std::iter;
use std::time::Duration;

/// A message took longer than it may; it was rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message took longer than {limit:?}")]
#[non_exhaustive]
pub struct TimedOut {
    /// How long it might have taken.
    pub limit: Duration,
}

/// The time-out among what caused the error.
pub(crate) fn timed_out<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TimedOut> {
    iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}
