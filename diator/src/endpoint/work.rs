use std::future::pending;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::Bound;
use super::failure::Failure;
use super::handling::run;
use super::lease::Lease;
use super::outcome::Outcome;
use super::workers::Desk;
use crate::Arrival;
use crate::panic::{catch_panic, panic_message};
use crate::race::{First, race};
use crate::registry::HandlerId;
use crate::subscription::{Delivery, DeliveryTag, Row};

/// Told of each attempt of a handler, when it begins.
pub type OnAttempt = Arc<dyn Fn(&Arc<Arrival>, HandlerId) -> AttemptEnded + Send + Sync>;

/// Told of how the attempt ended, with the text of the failure, or that there was none; dropped, if it was cut off.
pub type AttemptEnded = Box<dyn FnOnce(Option<Result<(), &str>>) + Send>;

/// Told of what the endpoint decides: of a handler that failed, or, without one, of all handlers of the message.
pub type OnDecision = Arc<dyn Fn(Uuid, Option<HandlerId>, &str) + Send + Sync>;

/// What is handled: a worker takes it along, and gives it back.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) message: Message,
    /// As it was delivered, once it has arrived, where it may have to be kept.
    pub(super) raw: Option<Box<Delivery>>,
    /// The name of its event, where it may have to be kept.
    pub(super) name: Option<Box<str>>,
    /// Which row of the store it is.
    pub(super) row: Option<Box<Row>>,
    pub(super) outcomes: Vec<Outcome>,
    /// A handler has begun with this delivery; otherwise all were done with its message before.
    pub(super) has_run: bool,
    /// The attempt log has to know of it before it runs: it may have ended a process.
    pub(super) suspect: bool,
    /// How often in a row the attempt log did not answer.
    pub(super) unlogged: u32,
    /// How many beginnings of it the attempt log may count that were no crash.
    pub(super) begun: u32,
    /// How many failures the engine knows of.
    pub(super) failures: u32,
    /// The message that it stands for, once it was read.
    pub(super) claimed: Option<Uuid>,
    /// When the message was made, if it tells.
    pub(super) made: Option<SystemTime>,
}

/// How far a message is read.
#[derive(Debug)]
pub(super) enum Message {
    Delivered(Delivery),
    Arrived(Arc<Arrival>),
    /// Its verdict is known: nothing reads it any more.
    Unread,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ran {
    /// The handlers that were to run did; these failed, each with its place.
    Handled { ran: usize, failures: Vec<(usize, Failure)> },
    /// It was waiting for its turn among both openings when nothing was to begin any more.
    CalledBack,
    /// Another delivery of the same message is in hand.
    Twin(Uuid),
    /// It was cut off; what its handlers achieved until then stands in the work.
    Cut,
    /// The program knows no such event.
    Unknown(String),
    /// It cannot be read.
    Undecodable(String),
    /// It is older than the memory of the inbox; by so much time it was made before.
    TooOld(Duration),
    /// It was begun too often without an end.
    Poison(u32),
    /// It is a row for this handler, and the endpoint does not have it.
    NoHandler(String),
    /// The attempt log did not answer; why.
    Unlogged(String),
}

impl Work {
    pub(super) fn new(mut delivery: Delivery, suspect: bool) -> Self {
        let (failures, row) = (delivery.failures, delivery.row.take());
        Self {
            message: Message::Delivered(delivery),
            raw: None,
            name: None,
            row,
            outcomes: Vec::new(),
            has_run: false,
            suspect,
            unlogged: 0,
            begun: 0,
            failures,
            claimed: None,
            made: None,
        }
    }

    /// Nothing reads it any more. An event whose drop panics takes nothing else along.
    pub(super) fn forget_message(&mut self) {
        self.raw = None;
        let message = mem::replace(&mut self.message, Message::Unread);
        let _told = catch_unwind(AssertUnwindSafe(|| drop(message)));
    }

    /// The id by which the attempt log and the memory of the endpoint know it, once it was read.
    pub(super) fn known_as(&self) -> Option<Uuid> {
        let message = self.claimed?;
        Some(self.row.as_ref().map_or(message, |row| row.known_as()))
    }

    /// What was delivered, if it is still there.
    pub(super) fn delivered(&self) -> Option<&Delivery> {
        match &self.message {
            Message::Delivered(delivery) => Some(delivery),
            Message::Arrived(_) | Message::Unread => self.raw.as_deref(),
        }
    }

    /// Shows in the span of the message that it has failed for good, and not only an attempt of it.
    pub(super) fn mark_failed(&self) {
        if let Message::Arrived(arrival) = &self.message {
            arrival.mark_failed("handlers");
        }
    }

    /// How often the handler has failed that failed most.
    pub(super) fn counted(&self) -> u32 {
        let of_each = self.outcomes.iter().map(|outcome| outcome.failures().counted);
        of_each.max().unwrap_or_default().max(self.failures)
    }

    /// How many failures a retry carries along: those of handlers that are tried again.
    pub(super) fn carried(&self) -> u32 {
        let pending = self.outcomes.iter().filter(|outcome| outcome.is_pending());
        pending.map(|outcome| outcome.failures().counted).max().unwrap_or_default().max(self.failures)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.forget_message();
    }
}

impl Ran {
    /// Whether the loop has nothing to think of before the next one begins.
    pub(super) fn went_well(&self) -> bool {
        matches!(self, Self::Handled { failures, .. } if failures.is_empty())
    }
}

/// What a worker has: it goes back to the loop however the run ends, also one that is cut off or panics.
pub(super) struct Working<'a> {
    bound: &'a Bound,
    desk: &'a Desk,
    tag: DeliveryTag,
    work: Option<Box<Work>>,
    begun: Instant,
}

impl<'a> Working<'a> {
    pub(super) fn new(bound: &'a Bound, desk: &'a Desk, tag: DeliveryTag, work: Box<Work>) -> Self {
        Self { bound, desk, tag, work: Some(work), begun: Instant::now() }
    }

    /// Runs the handlers of one delivery that are to run now, one after the other.
    pub(super) async fn run(mut self, cut: Option<oneshot::Receiver<()>>, lease: Option<Instant>, calls: u64) {
        let Self { bound, desk, tag, work, begun } = &mut self;
        let Some(work) = work else { return };
        let mut lease = lease.map(|until| Lease { bound, desk, tag: *tag, until });
        // What the attempt log has to be told if the run does not come to its end.
        let attempt = OnceLock::new();
        let ran = {
            let run = catch_panic(run(bound, *tag, work, *begun, desk.called_back(calls), lease.as_mut(), &attempt));
            let cut = async {
                let is_asked = match cut {
                    Some(cut) => cut.await.is_ok(),
                    None => false,
                };
                if !is_asked {
                    // Nobody can ask, or whoever could has gone.
                    pending::<()>().await;
                }
            };
            let mut run = pin!(run);
            match race(run.as_mut(), cut).await {
                First::Left(Ok(ran)) => ran,
                // Handlers' panics are caught below: it is the event that cannot be read.
                First::Left(Err(panic)) => Ran::Undecodable(panic_message(&*panic)),
                First::Right(()) => {
                    // Before the run is dropped: if that ends the process, it is no handler's crash.
                    bound.note_cut_off(attempt.get().copied()).await;
                    Ran::Cut
                }
            }
        };
        self.ended(ran);
    }

    fn ended(&mut self, ran: Ran) {
        if let Some(mut work) = self.work.take() {
            if ran.went_well() && work.outcomes.iter().all(Outcome::is_done) {
                // Here, because the loop bounds the throughput. What a handler has failed on for good becomes a row.
                work.forget_message();
            }
            self.desk.tell(self.tag, work, ran, self.begun.elapsed());
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.ended(Ran::Cut);
    }
}
