use std::time::Duration;

use serde::Serialize;

/// The state of a subscription, as its engine reports it.
///
/// # Units
///
/// `None` means that the engine does not report the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Observation {
    /// How many messages wait for the endpoint, in all its processes together. The driver says whether messages that
    /// its processes hold count too.
    pub lag: Option<u64>,
    /// How many of those the engine should be giving to this opening now. A process without a partition has none.
    pub due: Option<u64>,
    /// How long ago the engine was last heard of.
    pub heard: Option<Duration>,
    /// How long the oldest waiting message has been waiting.
    pub oldest: Option<Duration>,
}

impl Observation {
    /// Makes an observation that reports nothing.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { lag: None, due: None, heard: None, oldest: None }
    }

    /// Sets how many messages wait.
    #[must_use]
    pub const fn with_lag(mut self, lag: u64) -> Self {
        self.lag = Some(lag);
        self
    }

    /// Sets how many messages the engine should be giving to this opening.
    #[must_use]
    pub const fn with_due(mut self, due: u64) -> Self {
        self.due = Some(due);
        self
    }

    /// Sets how long ago the engine was heard of.
    #[must_use]
    pub const fn with_heard(mut self, ago: Duration) -> Self {
        self.heard = Some(ago);
        self
    }

    /// Sets how long the oldest message has been waiting.
    #[must_use]
    pub const fn with_oldest(mut self, oldest: Duration) -> Self {
        self.oldest = Some(oldest);
        self
    }
}
