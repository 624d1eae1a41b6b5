use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::work::{Ran, Work};
use crate::subscription::{ConsumeError, DeliveryTag, Observation, Settled, Taken};

/// What the tasks of an opening tell its loop.
#[derive(Debug)]
pub(super) enum Event {
    /// The source has yielded something.
    Taken(Taken),
    /// The source has failed; it yields nothing any more.
    SourceEnded(ConsumeError),
    /// A delivery has run.
    Worked { tag: DeliveryTag, work: Box<Work>, ran: Ran, took: Duration },
    /// A run was cut off of which the attempt log knows.
    CutOff(Uuid),
    /// The engine has answered, or has failed to for some.
    Settled { settled: Vec<(DeliveryTag, Settled)>, error: Option<String> },
    /// The engine has answered when it was asked to extend locks, from that moment on at the earliest.
    Extended { extended: Vec<(DeliveryTag, Settled)>, from: Instant, error: Option<String> },
    /// How the subscription is.
    Observed(Result<Observation, ConsumeError>),
}
