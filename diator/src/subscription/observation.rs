use std::time::Duration;

use serde::Serialize;

/// How a subscription is, as its engine says.
///
/// # Units
///
/// `None` is what the engine does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Observation {
    /// How many messages wait for the endpoint, those that its processes hold not included.
    pub lag: Option<u64>,
    /// How many messages its processes hold and have not settled.
    pub unsettled: Option<u64>,
    /// How long the oldest of those that wait has been waiting.
    pub oldest: Option<Duration>,
}

impl Observation {
    /// Nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { lag: None, unsettled: None, oldest: None }
    }

    /// Says how many messages wait.
    #[must_use]
    pub const fn with_lag(mut self, lag: u64) -> Self {
        self.lag = Some(lag);
        self
    }

    /// Says how many messages are held and not settled.
    #[must_use]
    pub const fn with_unsettled(mut self, unsettled: u64) -> Self {
        self.unsettled = Some(unsettled);
        self
    }

    /// Says how long the oldest has been waiting.
    #[must_use]
    pub const fn with_oldest(mut self, oldest: Duration) -> Self {
        self.oldest = Some(oldest);
        self
    }
}
