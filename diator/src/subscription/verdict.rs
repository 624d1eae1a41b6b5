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
///
/// # Guarantees
///
/// A dead letter, and a retry that is a copy, must first be kept where it goes, confirmed, and only then be taken away from where
/// it was: a crash in between leaves two, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// All is done: the engine must not deliver it again.
    Ack,
    /// It goes back, to be delivered again at once. Without [exclusive keys](super::Capabilities::exclusive_keys) another process
    /// may get it; with them only the owner of its partition does.
    Release,
    /// It goes back, to be delivered again after a time. An endpoint that handles in order never asks for it.
    #[non_exhaustive]
    Retry {
        /// After how long; at most what [`delayed_retry`](super::Capabilities::delayed_retry) states.
        after: Duration,
        /// How often it has failed: where the engine has a place for that, [`Delivery::failures`](super::Delivery::failures) of
        /// the next delivery.
        failures: u32,
        /// How it failed at last, as for a dead letter; both are empty where the endpoint keeps nothing of its own. An engine need not
        /// mind them.
        reason: Box<str>,
        /// See `reason`.
        kind: Box<str>,
    },
    /// It goes to the dead letters of the endpoint, where the engine or the driver keeps them. A letter that is too large is cut,
    /// not refused.
    ///
    /// A driver whose engine cannot copy a message by its tag keeps the delivery until it is settled.
    #[non_exhaustive]
    DeadLetter {
        /// Why: one line, for people.
        reason: Box<str>,
        /// What dead letters with one cause have in common, such as `Handler` or `Unreadable`; empty if it is not known.
        kind: Box<str>,
        /// How often it has failed.
        failures: u32,
    },
}

/// What the engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// It is done; or, where the engine answers nothing, it was written to the connection, and may come again.
    Done,
    /// Somebody else may have the delivery by now: nothing was changed. An [`Ack`](Verdict::Ack) may be `Done` nevertheless, because
    /// it is true.
    LockLost,
}

impl Verdict {
    /// It comes again after a time, with so many failures.
    #[must_use]
    pub fn retry(after: Duration, failures: u32) -> Self {
        Self::Retry { after, failures, reason: Box::default(), kind: Box::default() }
    }

    /// It is a dead letter, of no kind.
    #[must_use]
    pub fn dead_letter(reason: impl Into<Box<str>>) -> Self {
        Self::DeadLetter { reason: reason.into(), kind: Box::default(), failures: 0 }
    }
}

impl Settlement {
    /// What became of a delivery.
    #[must_use]
    pub const fn new(tag: DeliveryTag, verdict: Verdict) -> Self {
        Self { tag, verdict }
    }
}
