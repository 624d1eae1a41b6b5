//! The engines: what they promise, and no more. They know no endpoint, no task and no clock of their own.

mod log;
mod partition;
mod queue;

use std::time::Duration;

use diator::subscription::{Capabilities, DeliveryTag, Ownership, Settled, Settlement};
use tokio::time::Instant;

pub(crate) use self::log::Log;
pub(crate) use self::queue::Queue;
use crate::random::Random;
use crate::trace::{Event, Trace, Why};

/// The moment, chance, and where to tell what happens.
pub(crate) struct At<'a> {
    pub(crate) now: Instant,
    pub(crate) begun: Instant,
    pub(crate) random: &'a mut Random,
    pub(crate) trace: &'a mut Trace,
}

impl At<'_> {
    pub(crate) fn note(&mut self, event: Event) {
        self.trace.note(self.now - self.begun, event);
    }

    fn lock_over(&mut self, opening: usize, tag: DeliveryTag, since: Instant) {
        let since = since - self.begun;
        self.note(Event::LockOver { opening, tag: tag.0, since });
    }
}

/// A message that an engine gives to an opening.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(crate) tag: DeliveryTag,
    pub(crate) entry: usize,
    pub(crate) message: usize,
    pub(crate) owner: Option<Ownership>,
    /// How often it was given out before.
    pub(crate) times: u32,
    pub(crate) failures: u32,
    /// When its lock began.
    pub(crate) from: Instant,
}

/// What an engine tells an opening of its partitions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    Revoking { owner: Ownership, by: Instant },
    Lost { owner: Ownership },
}

/// How an engine learns of the end of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It was closed: everything goes back.
    Closed,
    /// Its connection ended.
    Broken,
}

/// An engine, between the calls of its drivers.
pub(crate) trait Engine: Send {
    fn publish(&mut self, message: usize, at: &mut At<'_>);
    fn open(&mut self, opening: usize, at: &mut At<'_>);
    /// Gives at most so many deliveries to the opening.
    fn take(&mut self, opening: usize, credit: usize, at: &mut At<'_>) -> Vec<Given>;
    fn news(&mut self, opening: usize, at: &mut At<'_>) -> Option<News>;
    fn settle(&mut self, opening: usize, settlement: &Settlement, at: &mut At<'_>) -> Settled;
    fn extend(&mut self, opening: usize, tag: DeliveryTag, at: &mut At<'_>) -> Settled;
    fn given_up(&mut self, opening: usize, owners: &[Ownership], at: &mut At<'_>);
    fn end(&mut self, opening: usize, how: Farewell, at: &mut At<'_>);
    /// How many it could give to the opening now.
    fn due(&mut self, opening: usize, at: &mut At<'_>) -> u64;
    /// Where the engine only knows how far an owner has come: whose a delivery is.
    fn partition(&self, opening: usize, tag: DeliveryTag) -> Option<usize>;
    /// When something changes by itself.
    fn next_moment(&self, now: Instant) -> Option<Instant>;
    /// Takes a delivery or a partition away for no reason.
    fn misbehave(&mut self, at: &mut At<'_>);
    /// How many entries are neither acknowledged nor dead.
    fn unsettled(&self) -> usize;
}

/// How an engine differs from others of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Traits {
    pub(crate) capabilities: Capabilities,
    /// An acknowledgement counts although the lock is lost, because it is true.
    pub(crate) ack_is_true: bool,
    /// How many partitions it has, if it has some.
    pub(crate) partitions: usize,
    /// How long it waits for a partition that it wants back.
    pub(crate) grace: Duration,
    /// The partition of each message.
    pub(crate) places: Vec<usize>,
}

fn why(reason: &str) -> Why {
    match reason {
        _ if reason.contains("cannot be read") => Why::Unreadable,
        _ if reason.contains("no event named") => Why::Unknown,
        _ if reason.contains("never ended") => Why::Poison,
        _ if reason.contains("another delivery") => Why::Other,
        _ => Why::Failed,
    }
}
