//! Rows of a delivery store that are leased: from the question until they are settled.

use std::collections::BTreeMap;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::attempt::answer;
use super::health::EndpointMonitor;
use super::store::Store;
use crate::BoxError;
use crate::deliveries::{
    DeadReason, DeliveryLease, DeliverySettlement, DeliveryVerdict, LeasedDelivery, NewDelivery, WHOLE_MESSAGE,
};
use crate::registry::HandlerId;
use crate::subscription::{
    ConsumeError, Delivery, DeliveryTag, Observation, Ownership, Redelivered, Row, Settle, Settled, Settlement, Verdict,
};

/// For a call that the store does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a row that is settled by itself, because others wait for their turn then.
const PATIENCE_ALONE: Duration = Duration::from_secs(2);
/// A row that the store has not settled for so long is given up: its lease ends, and it comes again.
const UNSETTLED: Duration = Duration::from_secs(30);
/// How long the end waits for rows that are being leased.
const CLOSING: Duration = Duration::from_secs(2);

/// What both sides of an opening of rows share.
pub(super) struct LeasedRows {
    pub(super) store: Arc<Store>,
    pub(super) monitor: EndpointMonitor,
    /// Whether a dead letter goes on holding its key.
    parks: bool,
    /// For how long it leases a row.
    lease: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    leased: BTreeMap<DeliveryTag, Leased>,
    last: u64,
    /// Under way.
    asking: Option<Asking>,
}

struct Leased {
    lease: DeliveryLease,
    holds_key: bool,
    unsettled_since: Option<Instant>,
}

/// A call that goes on, whoever waits for it.
type Asking = Pin<Box<dyn Future<Output = Result<Asked, String>> + Send>>;

pub(super) enum Asked {
    /// Rows of the name at this place; their leases began at this moment at the earliest.
    Leased { at: Instant, place: usize, leased: Vec<LeasedDelivery> },
    /// No name has a row that can be leased. The next one can be in this time, if the store says so.
    Nothing { at: Instant, next_due: Option<Duration> },
}

/// Leases rows of the first name that has some: nothing keeps them waiting then, and each call of the store has its own time.
async fn lease(store: Arc<Store>, names: Vec<String>, most: u32, period: Duration) -> Result<Asked, String> {
    let begun = Instant::now();
    for (place, name) in names.iter().enumerate() {
        let at = Instant::now();
        let leased = answer(PATIENCE, async { store.deliveries.lease(name, most, period).await }).await?;
        if !leased.is_empty() {
            return Ok(Asked::Leased { at, place, leased });
        }
    }
    let mut next_due = None;
    for name in &names {
        let due = answer(PATIENCE, async { store.deliveries.next_due(name).await }).await.ok().flatten();
        next_due = due.into_iter().chain(next_due).min();
    }
    Ok(Asked::Nothing { at: begun, next_due })
}

impl LeasedRows {
    pub(super) fn new(store: Arc<Store>, monitor: EndpointMonitor, parks: bool, lease: Duration) -> Self {
        Self { store, monitor, parks, lease, state: Mutex::default() }
    }

    // Nothing that runs under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_asking(&self) -> bool {
        self.state().asking.is_some()
    }

    /// Asks for rows of these names, in turn.
    pub(super) fn ask(&self, names: Vec<String>, most: usize) {
        let asking = lease(self.store.clone(), names, u32::try_from(most).unwrap_or(u32::MAX), self.lease);
        self.state().asking = Some(Box::pin(asking));
    }

    /// What was asked for. If nobody waits any more, it goes on with the next call.
    pub(super) async fn asked(&self) -> Result<Asked, String> {
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            let Some(asking) = &mut state.asking else { return std::task::Poll::Pending };
            let answer = asking.as_mut().poll(cx);
            if answer.is_ready() {
                state.asking = None;
            }
            answer
        })
        .await
    }

    pub(super) fn deliver(&self, leased: Vec<LeasedDelivery>, at: Instant) -> Vec<Delivery> {
        let mut state = self.state();
        let deliver = |LeasedDelivery { lease, delivery, lost }: LeasedDelivery| {
            state.last += 1;
            let tag = DeliveryTag(state.last);
            state.leased.insert(tag, Leased { lease, holds_key: delivery.holds_key, unsettled_since: None });
            delivery_of(tag, delivery, lost, at)
        };
        leased.into_iter().map(deliver).collect()
    }

    fn settlement(&self, Settlement { tag, verdict }: &Settlement) -> Option<DeliverySettlement> {
        let state = self.state();
        let Leased { lease, holds_key, .. } = state.leased.get(tag)?;
        let verdict = match verdict {
            Verdict::Ack => DeliveryVerdict::Handled,
            Verdict::Release => DeliveryVerdict::Released,
            Verdict::Retry { after, failures, reason, kind } => DeliveryVerdict::Later {
                after: *after,
                failures: *failures,
                last_failure: (!kind.is_empty()).then(|| DeadReason::new(kind.clone(), reason.clone())),
            },
            Verdict::DeadLetter { reason, kind, failures } => DeliveryVerdict::Dead {
                reason: DeadReason::new(kind.clone(), reason.clone()),
                failures: *failures,
                holds_key: *holds_key && self.parks,
            },
        };
        Some(DeliverySettlement { lease: *lease, verdict })
    }

    /// All in one call. If that fails, each goes by itself, so that one that the store does not settle keeps no other one.
    async fn settle_each(&self, settlements: &[DeliverySettlement]) -> Vec<Result<Settled, ConsumeError>> {
        let together = answer(PATIENCE, async { self.store.deliveries.settle(settlements).await }).await;
        match (together, settlements) {
            (Ok(answers), _) => return answers.into_iter().map(Ok).collect(),
            (Err(error), [_]) => return vec![Err(ConsumeError::transient(error))],
            (Err(_), _) => {}
        }
        let mut answers = Vec::with_capacity(settlements.len());
        for settlement in settlements.chunks(1) {
            let alone = answer(PATIENCE_ALONE, async { self.store.deliveries.settle(settlement).await }).await;
            let alone = alone.map(|settled| settled.first().copied().unwrap_or(Settled::LockLost));
            answers.push(alone.map_err(ConsumeError::transient));
        }
        answers
    }

    fn note_answer(&self, Settlement { tag, verdict }: &Settlement, answer: &mut Result<Settled, ConsumeError>) {
        let mut state = self.state();
        let Some(leased) = state.leased.get_mut(tag) else { return };
        if answer.is_err() {
            let since = *leased.unsettled_since.get_or_insert_with(Instant::now);
            if since.elapsed() < UNSETTLED {
                return;
            }
            *answer = Ok(Settled::LockLost);
        }
        let holds_key = leased.holds_key;
        state.leased.remove(tag);
        drop(state);
        match verdict {
            Verdict::Ack | Verdict::DeadLetter { .. } if holds_key => self.store.freed.notify_one(),
            Verdict::Ack | Verdict::DeadLetter { .. } => {}
            // It may be due before the store is asked the next time.
            Verdict::Retry { .. } | Verdict::Release => self.store.has_put.notify_one(),
        }
    }
}

#[async_trait]
impl Settle for LeasedRows {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let known: Vec<_> = batch.iter().map(|settlement| self.settlement(settlement)).collect();
        let settlements: Vec<_> = known.iter().flatten().cloned().collect();
        let answers = self.settle_each(&settlements).await;
        let mut answers = in_order(known.iter().map(Option::is_some), answers);
        for (settlement, answer) in batch.iter().zip(&mut answers) {
            self.note_answer(settlement, answer);
        }
        answers
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let known: Vec<_> = {
            let state = self.state();
            held.iter().map(|tag| state.leased.get(tag).map(|leased| leased.lease)).collect()
        };
        let leases: Vec<_> = known.iter().flatten().copied().collect();
        match self.store.deliveries.extend(&leases, self.lease).await {
            Ok(answers) => in_order(known.iter().map(Option::is_some), answers.into_iter().map(Ok)),
            Err(error) => held.iter().map(|_| Err(failed(&error))).collect(),
        }
    }

    fn revoked(&self, _: &[Ownership]) {}

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let status = self.store.status(&self.monitor.name).await.map_err(|error| failed(&error))?;
        self.monitor.note_kept(status);
        Ok(Observation::unknown())
    }

    async fn close(&self) {
        // It goes if it does not answer: nobody would poll it, and what comes next may wait behind it.
        let asking = self.state().asking.take();
        let left = match asking {
            Some(asking) => timeout(CLOSING, asking).await.ok().and_then(Result::ok),
            None => None,
        };
        let mut leases: Vec<_> = match left {
            Some(Asked::Leased { leased, .. }) => leased.iter().map(|leased| leased.lease).collect(),
            Some(Asked::Nothing { .. }) | None => Vec::new(),
        };
        leases.extend(mem::take(&mut self.state().leased).into_values().map(|leased| leased.lease));
        let release = |lease| DeliverySettlement { lease, verdict: DeliveryVerdict::Released };
        let settlements: Vec<_> = leases.into_iter().map(release).collect();
        if !settlements.is_empty() {
            // Whatever comes of it: they come again when their leases are over.
            let _told = timeout(CLOSING, self.store.deliveries.settle(&settlements)).await;
        }
    }
}

impl Row {
    /// Whether it is for this handler.
    pub(super) fn is_for(&self, handler: &HandlerId) -> bool {
        *self.handler == *WHOLE_MESSAGE || *self.handler == *handler.as_str()
    }
}

fn delivery_of(tag: DeliveryTag, kept: NewDelivery, lost: u32, received: Instant) -> Delivery {
    let NewDelivery { handler, message, generation, holds_key, .. } = kept;
    let mut delivery = Delivery::new(tag, kept.topic, kept.body);
    delivery.row = Some(Box::new(Row { handler, generation, message, holds_key }));
    (delivery.position, delivery.headers) = (kept.position, kept.headers);
    (delivery.content_type, delivery.failures) = (kept.content_type, kept.failures);
    (delivery.redelivered, delivery.received) = (Redelivered::Times(lost), received);
    delivery
}

/// One answer for each: the next of the store's, or that the lease is none any more.
fn in_order(
    known: impl Iterator<Item = bool>,
    answers: impl IntoIterator<Item = Result<Settled, ConsumeError>>,
) -> Vec<Result<Settled, ConsumeError>> {
    let mut answers = answers.into_iter();
    let few = || ConsumeError::transient("the store gave too few answers");
    known
        .map(|known| if known { answers.next().unwrap_or_else(|| Err(few())) } else { Ok(Settled::LockLost) })
        .collect()
}

fn failed(error: &BoxError) -> ConsumeError {
    ConsumeError::transient(crate::shown::text(crate::shown::Chain(&**error)))
}
