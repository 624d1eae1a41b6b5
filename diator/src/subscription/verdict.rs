use std::time::Duration;

use super::DeliveryTag;

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// Which delivery.
    pub tag: DeliveryTag,
    /// What became of it.
    pub verdict: Verdict,
}

/// What an endpoint wants done with a delivery.
///
/// An endpoint asks for nothing that the [capabilities](super::Capabilities) do not state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// All is done: the engine must not deliver it again.
    Ack,
    /// It goes back, to be delivered again at once, to anybody.
    Release,
    /// It goes back, to be delivered again after a time, and no attempt counts against the engine's limit that need not.
    Retry {
        /// After how long; at most what [`delayed_retry`](super::Capabilities::delayed_retry) states.
        after: Duration,
    },
    /// It goes to the engine's dead letters.
    DeadLetter {
        /// Why: one line, for people.
        reason: Box<str>,
    },
}

/// What the engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// It is done.
    Done,
    /// Somebody else may have the delivery by now: nothing was changed.
    LockLost,
}

impl Settlement {
    /// What became of a delivery.
    #[must_use]
    pub const fn new(tag: DeliveryTag, verdict: Verdict) -> Self {
        Self { tag, verdict }
    }
}
