//! The rows of a delivery store, as a subscription: an endpoint opens it beside that of its engine.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until, timeout};

use super::attempt::answer;
use super::health::EndpointMonitor;
use super::jitter::Jitter;
use super::store::Store;
use crate::BoxError;
use crate::deliveries::{
    DeadReason, DeliveryLease, DeliverySettlement, DeliveryVerdict, LeasedDelivery, NewDelivery, WHOLE_MESSAGE,
};
use crate::race::{First, race};
use crate::registry::HandlerId;
use crate::subscription::{
    Capabilities, ConsumeError, Delivery, DeliveryTag, Observation, Opened, Ownership, Redelivered, Release, Row,
    Settle, Settled, Settlement, Source, Subscription, Taken, Verdict, Wanted,
};

/// How often it asks at least.
const POLL: Duration = Duration::from_secs(5);
/// How long it waits at least where a row is due that it did not get: another process is about to.
const CONTENDED: Duration = Duration::from_millis(250);
/// A store that wakes all the time, or fails, is not asked all the time.
const SHORTEST: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// For a store that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end waits for rows that are being leased.
const CLOSING: Duration = Duration::from_secs(2);

/// What the store of an endpoint keeps for it.
pub(super) struct Rows {
    pub(super) store: Arc<Store>,
    pub(super) monitor: EndpointMonitor,
    /// Whether a dead letter goes on holding its key.
    pub(super) parks: bool,
    /// For how long it leases a row.
    pub(super) lease: Duration,
    pub(super) seed: Option<u64>,
}

/// A call that goes on, whoever waits for it.
type Asking = Pin<Box<dyn Future<Output = Result<Asked, String>> + Send>>;

struct Asked {
    /// When they were asked for: their leases began later.
    at: Instant,
    leased: Vec<LeasedDelivery>,
    /// When to ask again, if nothing happens.
    again: Duration,
}

/// What the two sides of an opening share.
struct Shared {
    store: Arc<Store>,
    /// The endpoint's name, and those that it had before.
    names: Arc<[String]>,
    monitor: EndpointMonitor,
    parks: bool,
    lease: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    leased: HashMap<DeliveryTag, Leased>,
    last: u64,
    /// Under way.
    asking: Option<Asking>,
}

struct Leased {
    lease: DeliveryLease,
    holds_key: bool,
}

impl Rows {
    pub(super) const fn capabilities(lease: Duration) -> Capabilities {
        Capabilities::none()
            .competing()
            .redelivers()
            .counts()
            .retry_counts()
            .releases(Release::Uncounted)
            .locks_for(lease)
            .extends()
            .delayed_retry(Duration::MAX)
            .dead_letters()
            .settles_out_of_order()
            .durable()
    }
}

#[async_trait]
impl Subscription for Rows {
    fn capabilities(&self) -> Capabilities {
        Self::capabilities(self.lease)
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let Self { store, monitor, parks, lease, seed } = self;
        let shared = Arc::new(Shared {
            store: store.clone(),
            names: [&[wanted.endpoint.to_owned()], wanted.formerly].concat().into(),
            monitor: monitor.clone(),
            parks: *parks,
            lease: *lease,
            state: Mutex::default(),
        });
        let jitter = seed.map_or_else(Jitter::random, Jitter::new);
        Ok(Opened::new(
            RowSource { shared: shared.clone(), next: Instant::now(), floor: Instant::now(), jitter },
            shared,
        ))
    }
}

struct RowSource {
    shared: Arc<Shared>,
    /// When it asks for rows, unless it hears of one before.
    next: Instant,
    /// When it does so at the earliest.
    floor: Instant,
    jitter: Jitter,
}

#[async_trait]
impl Source for RowSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        loop {
            if !self.shared.is_asking() {
                if credit == 0 {
                    return pending().await;
                }
                self.due().await;
                self.shared.ask(credit);
            }
            match self.shared.asked().await {
                Ok(Asked { at, leased, again }) => {
                    self.floor = if leased.is_empty() { at + SHORTEST } else { at };
                    self.next = Instant::now() + again.min(self.jitter.take_off(POLL));
                    if !leased.is_empty() {
                        return Ok(Taken::Deliveries(self.shared.deliver(leased, at)));
                    }
                }
                Err(error) => {
                    self.shared.monitor.note_failed_call("lease", error);
                    self.floor = Instant::now() + self.jitter.take_off(AFTER_FAILURE);
                    self.next = self.floor;
                }
            }
        }
    }
}

impl RowSource {
    /// Waits until it is time to ask, or a row has come.
    async fn due(&mut self) {
        let Shared { store, .. } = &*self.shared;
        while Instant::now() < self.next {
            let woken = race(store.put.notified(), store.deliveries.woken());
            if let First::Right(_) = race(sleep_until(self.next), woken).await {
                self.next = self.next.min(self.floor);
            }
        }
    }
}

impl Shared {
    // Nothing that runs under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_asking(&self) -> bool {
        self.state().asking.is_some()
    }

    fn ask(&self, credit: usize) {
        let (store, names, lease) = (self.store.clone(), self.names.clone(), self.lease);
        let asking = async move {
            let (at, mut leased, mut again) = (Instant::now(), Vec::new(), POLL);
            for name in &*names {
                let most = u32::try_from(credit - leased.len()).unwrap_or(u32::MAX);
                leased.extend(store.deliveries.lease(name, most, lease).await?);
                if leased.len() >= credit {
                    return Ok(Asked { at, leased, again: Duration::ZERO });
                }
                // Without an answer there is the poll.
                let next = store.deliveries.next_due(name).await.ok().flatten();
                again = again.min(next.unwrap_or(POLL)).max(CONTENDED);
            }
            Ok(Asked { at, leased, again })
        };
        self.state().asking = Some(Box::pin(answer(PATIENCE, asking)));
    }

    /// What was asked for. If nobody waits any more, it goes on with the next call.
    async fn asked(&self) -> Result<Asked, String> {
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

    fn deliver(&self, leased: Vec<LeasedDelivery>, at: Instant) -> Vec<Delivery> {
        let mut state = self.state();
        let deliver = |LeasedDelivery { lease, delivery, lost }: LeasedDelivery| {
            state.last += 1;
            let tag = DeliveryTag(state.last);
            state.leased.insert(tag, Leased { lease, holds_key: delivery.holds_key });
            delivery_of(tag, delivery, lost, at)
        };
        leased.into_iter().map(deliver).collect()
    }

    fn settlement(&self, Settlement { tag, verdict }: &Settlement) -> Option<DeliverySettlement> {
        let state = self.state();
        let Leased { lease, holds_key } = state.leased.get(tag)?;
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
}

#[async_trait]
impl Settle for Shared {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let known: Vec<_> = batch.iter().map(|settlement| self.settlement(settlement)).collect();
        let settlements: Vec<_> = known.iter().flatten().cloned().collect();
        let answers = match self.store.deliveries.settle(&settlements).await {
            Ok(answers) => answers,
            Err(error) => return batch.iter().map(|_| Err(failed(&error))).collect(),
        };
        let mut state = self.state();
        let mut frees_key = false;
        for settlement in batch {
            frees_key |= state.leased.remove(&settlement.tag).is_some_and(|leased| leased.holds_key);
        }
        drop(state);
        if frees_key {
            // The next of its key can be leased.
            self.store.put.notify_one();
        }
        in_order(known.iter().map(Option::is_some), answers)
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let known: Vec<_> = {
            let state = self.state();
            held.iter().map(|tag| state.leased.get(tag).map(|leased| leased.lease)).collect()
        };
        let leases: Vec<_> = known.iter().flatten().copied().collect();
        match self.store.deliveries.extend(&leases, self.lease).await {
            Ok(answers) => in_order(known.iter().map(Option::is_some), answers),
            Err(error) => held.iter().map(|_| Err(failed(&error))).collect(),
        }
    }

    fn revoked(&self, _: &[Ownership]) {}

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let all = self.store.deliveries.status().await.map_err(|error| failed(&error))?;
        let ours = all.into_iter().find(|status| status.endpoint == *self.monitor.name);
        let mut status = ours.unwrap_or_default();
        status.endpoint = self.monitor.name.to_string();
        self.monitor.note_kept(status);
        Ok(Observation::unknown())
    }

    async fn close(&self) {
        let left = if self.is_asking() {
            timeout(CLOSING, self.asked()).await.ok().and_then(Result::ok).map(|asked| asked.leased)
        } else {
            None
        };
        let mut leases: Vec<_> = left.unwrap_or_default().iter().map(|leased| leased.lease).collect();
        leases.extend(self.state().leased.drain().map(|(_, leased)| leased.lease));
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
fn in_order(known: impl Iterator<Item = bool>, answers: Vec<Settled>) -> Vec<Result<Settled, ConsumeError>> {
    let mut answers = answers.into_iter();
    let few = || ConsumeError::transient("the store gave too few answers");
    known.map(|known| if known { answers.next().ok_or_else(few) } else { Ok(Settled::LockLost) }).collect()
}

fn failed(error: &BoxError) -> ConsumeError {
    ConsumeError::transient(crate::shown::text(crate::shown::Chain(&**error)))
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("endpoint", &self.monitor.name).finish_non_exhaustive()
    }
}
