use std::time::Duration;

use super::DeliveryTag;

/// The verdict on one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// The delivery.
    pub tag: DeliveryTag,
    /// The verdict on it.
    pub verdict: Verdict,
}

/// The instruction of an endpoint for a delivery.
///
/// An endpoint asks for nothing that the [capabilities](super::Capabilities) do not state.
///
/// # Guarantees
///
/// For a dead letter, and for a retry that is a copy, the driver must first store the message at its new place, wait
/// for the confirmation, and only then remove it from its old place: a crash in between leaves two messages, never
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// All handlers are done: the engine must not deliver it again.
    Ack,
    /// It goes back, to be delivered again at once. Without [exclusive keys](super::Capabilities::exclusive_keys) another process
    /// may get it; with them only the owner of its partition does.
    Release,
    /// It goes back, to be delivered again after a time. An endpoint that handles in order never asks for it.
    #[non_exhaustive]
    Retry {
        /// After how long; at most what [`delayed_retry`](super::Capabilities::delayed_retry) states.
        after: Duration,
        /// How often it has failed; if the engine has a place for that, it is
        /// [`Delivery::failures`](super::Delivery::failures) of the next delivery.
        failures: u32,
        /// Its last failure, as for a dead letter; both are empty if the endpoint has no delivery store. An engine may
        /// ignore them.
        reason: Box<str>,
        /// See `reason`.
        kind: Box<str>,
    },
    /// It goes to the dead letters of the endpoint, if the engine or the driver keeps them. The driver must cut a
    /// letter that is too large, and must not refuse it.
    ///
    /// A driver whose engine cannot copy a message by its tag must keep the delivery until it is settled.
    #[non_exhaustive]
    DeadLetter {
        /// The reason: one line, for people.
        reason: Box<str>,
        /// The kind of the failure, which dead letters of one cause share, such as `Handler` or `Unreadable`; empty if
        /// it is not known.
        kind: Box<str>,
        /// How often it has failed.
        failures: u32,
    },
}

/// The answer of the engine to a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// It is done. If the engine answers nothing, this means that it was written to the connection, and the delivery
    /// may come again.
    Done,
    /// Somebody else may have the delivery by now: nothing was changed. An [`Ack`](Verdict::Ack) may be answered with
    /// `Done` nevertheless, because the message is in fact handled.
    LockLost,
}

impl Verdict {
    /// Makes the instruction to deliver it again after a time, with so many failures.
    #[must_use]
    pub fn retry(after: Duration, failures: u32) -> Self {
        Self::Retry { after, failures, reason: Box::default(), kind: Box::default() }
    }

    /// Makes the instruction to keep it as a dead letter, of no kind.
    #[must_use]
    pub fn dead_letter(reason: impl Into<Box<str>>) -> Self {
        Self::DeadLetter { reason: reason.into(), kind: Box::default(), failures: 0 }
    }
}

impl Settlement {
    /// Makes the verdict on a delivery.
    #[must_use]
    pub const fn new(tag: DeliveryTag, verdict: Verdict) -> Self {
        Self { tag, verdict }
    }
}
