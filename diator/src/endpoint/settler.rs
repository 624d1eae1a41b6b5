use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use super::ask::{PATIENCE, ask};
use super::event::Event;
use crate::panic::catch_panic;
use crate::race::{First, race};
use crate::shown;
use crate::subscription::{ConsumeError, ConsumeErrorKind, DeliveryTag, Ownership, Settle, Settled, Settlement};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest that an engine may ask to wait.
const LONGEST_WISH: Duration = Duration::from_secs(30);
/// An opening on which a delivery cannot be settled for so long is over.
const UNSETTLED: Duration = Duration::from_secs(60);

/// What the settling task is asked to do, in this order.
#[derive(Debug)]
pub(super) enum ToSettle {
    /// These, in one call.
    Settle(Vec<(Option<Ownership>, Settlement)>),
    /// Nothing of these owners is settled any more.
    Forget(Vec<Ownership>),
    /// As `Forget`, and the engine learns of it.
    Revoked(Vec<Ownership>),
}

/// Settles what it is given, all that is there in one call, until it is done.
///
/// Nobody waits for it: verdicts gather while a call is under way, and no two calls overlap. Those of an owner stay in their order,
/// whatever fails; where the engine does not settle out of order (`in_order`), an owner of which one is refused or lost is settled
/// no further.
pub(super) async fn settle_all(
    settle: Arc<dyn Settle>,
    in_order: bool,
    mut orders: UnboundedReceiver<ToSettle>,
    events: UnboundedSender<Event>,
) {
    let mut received = Vec::new();
    let mut settler = Settler { in_order, batch: Vec::new(), blocked: BTreeSet::new(), refused: Vec::new() };
    let (mut pause, mut not_before) = (FIRST_PAUSE, Instant::now());
    loop {
        // Without anything to settle there is only to wait; with it, whatever came meanwhile goes along.
        if settler.batch.is_empty() || Instant::now() < not_before {
            let pauses = !settler.batch.is_empty();
            let pause = async { if pauses { sleep_until(not_before).await } else { pending().await } };
            if let First::Left(0) = race(orders.recv_many(&mut received, usize::MAX), pause).await {
                return;
            }
        }
        while let Ok(order) = orders.try_recv() {
            received.push(order);
        }
        for order in received.drain(..) {
            match order {
                ToSettle::Settle(some) => settler.add(some),
                ToSettle::Forget(gone) => settler.forget(&gone),
                ToSettle::Revoked(gone) => {
                    settler.forget(&gone);
                    // What a driver says as it panics, the panic hook has told; the owners are given up all the same.
                    let _told = catch_panic(async { settle.revoked(&gone) }).await;
                }
            }
        }
        let started = Instant::now();
        let batch = if started < not_before { Vec::new() } else { settler.settlements() };
        let mut answered = Answered::default();
        if !batch.is_empty() {
            let answers =
                ask(async { settle.settle(&batch).await }, PATIENCE).await.unwrap_or_else(|error| vec![Err(error)]);
            answered = settler.answered(answers, started);
            let failed = !settler.batch.is_empty();
            pause = if failed { pause } else { FIRST_PAUSE };
            if failed {
                not_before = Instant::now() + pause.max(answered.wish.min(LONGEST_WISH));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        let Answered { settled, error, closed, .. } = answered;
        let refused = std::mem::take(&mut settler.refused);
        if !(settled.is_empty() && refused.is_empty() && error.is_none())
            && events.send(Event::Settled { settled, refused, error }).is_err()
        {
            return;
        }
        if let Some(closed) = closed {
            // The loop ends the opening, and this task with it.
            let _sent = events.send(Event::Ended(closed));
            return;
        }
    }
}

/// What is to be settled, and what never will be.
struct Settler {
    in_order: bool,
    batch: Vec<Item>,
    blocked: BTreeSet<Option<Ownership>>,
    refused: Vec<DeliveryTag>,
}

struct Item {
    owner: Option<Ownership>,
    settlement: Settlement,
    failing_since: Option<Instant>,
}

#[derive(Default)]
struct Answered {
    settled: Vec<(DeliveryTag, Settled)>,
    /// Of those that are asked for again.
    error: Option<String>,
    /// Nothing can be settled any more.
    closed: Option<ConsumeError>,
    wish: Duration,
}

impl Settler {
    fn settlements(&self) -> Vec<Settlement> {
        self.batch.iter().map(|item| item.settlement.clone()).collect()
    }

    fn add(&mut self, some: Vec<(Option<Ownership>, Settlement)>) {
        for (owner, settlement) in some {
            if self.blocked.contains(&owner) {
                self.refused.push(settlement.tag);
            } else {
                self.batch.push(Item { owner, settlement, failing_since: None });
            }
        }
    }

    fn forget(&mut self, gone: &[Ownership]) {
        self.batch.retain(|item| item.owner.is_none_or(|owner| !gone.contains(&owner)));
    }

    /// Keeps those that are asked for again.
    fn answered(&mut self, answers: Vec<Result<Settled, ConsumeError>>, started: Instant) -> Answered {
        let (mut answers, mut answered) = (answers.into_iter(), Answered::default());
        for mut item in std::mem::take(&mut self.batch) {
            let tag = item.settlement.tag;
            let answer = answers.next().unwrap_or_else(|| Err(too_few()));
            if self.blocked.contains(&item.owner) {
                self.refused.push(tag);
                continue;
            }
            let error = match answer {
                Ok(answer) => {
                    if answer == Settled::LockLost && self.in_order {
                        self.blocked.insert(item.owner);
                    }
                    answered.settled.push((tag, answer));
                    continue;
                }
                Err(error) => error,
            };
            answered.error.get_or_insert_with(|| describe(&error));
            match error.kind() {
                ConsumeErrorKind::Closed => answered.closed = Some(error),
                ConsumeErrorKind::Fatal => {
                    self.refused.push(tag);
                    if self.in_order {
                        self.blocked.insert(item.owner);
                    }
                }
                ConsumeErrorKind::Transient { retry_after } => {
                    answered.wish = answered.wish.max(retry_after.unwrap_or_default());
                    let since = *item.failing_since.get_or_insert(started);
                    if since.elapsed() >= UNSETTLED {
                        answered.closed = Some(error);
                    }
                    self.batch.push(item);
                }
            }
        }
        answered
    }
}

/// Takes orders to extend locks, and gives them to the engine. A settlement that hangs does not keep it, and a call that hangs does
/// not last longer than locks can wait for.
pub(super) async fn extend_all(
    settle: Arc<dyn Settle>,
    mut orders: UnboundedReceiver<Vec<DeliveryTag>>,
    patience: Duration,
    events: UnboundedSender<Event>,
) {
    while let Some(mut tags) = orders.recv().await {
        while let Ok(more) = orders.try_recv() {
            tags.extend(more);
        }
        tags.sort_unstable();
        tags.dedup();
        // The lock may have begun anew as early as this.
        let from = Instant::now();
        let asked = ask(async { settle.extend(&tags).await }, patience.min(PATIENCE)).await;
        let (mut extended, mut error, mut closed) = (Vec::with_capacity(tags.len()), None, None);
        let mut answers = asked.unwrap_or_else(|error| vec![Err(error)]).into_iter();
        for tag in tags {
            match answers.next().unwrap_or_else(|| Err(too_few())) {
                Ok(answer) => extended.push((tag, answer)),
                Err(failed) => {
                    error.get_or_insert_with(|| describe(&failed));
                    closed = closed.or((failed.kind() == ConsumeErrorKind::Closed).then_some(failed));
                }
            }
        }
        if events.send(Event::Extended { extended, from, error }).is_err() {
            return;
        }
        if let Some(closed) = closed {
            let _sent = events.send(Event::Ended(closed));
            return;
        }
    }
}

fn too_few() -> ConsumeError {
    ConsumeError::transient("the driver gave too few answers")
}

fn describe(error: &ConsumeError) -> String {
    shown::text(shown::Chain(error))
}
