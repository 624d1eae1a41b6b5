use std::time::Duration;

use tokio::time::Instant;

use super::work::{Ran, Work};
use crate::subscription::{ConsumeError, DeliveryTag, Observation, Settled, Taken};

/// What the tasks of an opening tell its loop.
#[derive(Debug)]
pub(super) enum Event {
    /// The source has yielded something.
    Taken(Taken),
    /// The opening is over: its source has failed, or a call that settles said so; or nothing could be settled for too long.
    Ended(ConsumeError),
    /// A delivery has run.
    Worked { tag: DeliveryTag, work: Box<Work>, ran: Ran, took: Duration },
    /// There is one worker less.
    WorkerEnded,
    /// The engine has answered, or has failed to for some; of those that it refuses, nothing is asked any more.
    Settled { settled: Vec<(DeliveryTag, Settled)>, refused: Vec<DeliveryTag>, error: Option<String> },
    /// The store has taken the rows of these deliveries; if it failed, it is asked again for the others.
    Put { put: Vec<DeliveryTag>, error: Option<String> },
    /// The engine has answered when it was asked to extend locks, from that moment on at the earliest.
    Extended { extended: Vec<(DeliveryTag, Settled)>, from: Instant, error: Option<String> },
    /// How the subscription is.
    Observed(Result<Observation, ConsumeError>),
}
