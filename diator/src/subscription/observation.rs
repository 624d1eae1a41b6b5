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
    /// How many messages wait for the endpoint, in all its processes together; whether those count that its processes hold, the
    /// driver says.
    pub lag: Option<u64>,
    /// How many of those the engine should be giving to this opening now. A process without a partition has none.
    pub due: Option<u64>,
    /// How long ago the engine was last heard of.
    pub heard: Option<Duration>,
    /// How long the oldest of those that wait has been waiting.
    pub oldest: Option<Duration>,
}

impl Observation {
    /// Nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { lag: None, due: None, heard: None, oldest: None }
    }

    /// Says how many messages wait.
    #[must_use]
    pub const fn with_lag(mut self, lag: u64) -> Self {
        self.lag = Some(lag);
        self
    }

    /// Says how many messages the engine should be giving to this opening.
    #[must_use]
    pub const fn with_due(mut self, due: u64) -> Self {
        self.due = Some(due);
        self
    }

    /// Says how long ago the engine was heard of.
    #[must_use]
    pub const fn with_heard(mut self, ago: Duration) -> Self {
        self.heard = Some(ago);
        self
    }

    /// Says how long the oldest has been waiting.
    #[must_use]
    pub const fn with_oldest(mut self, oldest: Duration) -> Self {
        self.oldest = Some(oldest);
        self
    }
}
