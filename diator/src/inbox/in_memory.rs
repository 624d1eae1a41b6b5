use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;
use uuid::Uuid;

use super::in_memory_deliveries::{InMemoryDeliveries, Rows};
use super::{Entry, Inbox, Seen};
use crate::container::{DependencyKey, Scope};
use crate::deliveries::{AttemptLog, DeliveryStore, InMemoryAttemptLog, NewDelivery};
use crate::outbox::{InMemoryTransaction, Joined};
use crate::{BoxError, Meta};

/// An inbox in memory, for tests and for a broker in memory.
///
/// # Guarantees
///
/// - It keeps the contract of [`Inbox`], with one exception: **it forgets everything when the process ends**.
/// - It joins the [`InMemoryTransaction`] of an [`InMemoryOutbox`](crate::outbox::InMemoryOutbox). An entry and the events of its handler
///   are committed together.
/// - Its [delivery store](Inbox::deliveries) and its [attempt log](Inbox::attempt_log) are in memory too.
/// - Clones share the entries, and what the store and the log keep.
/// - The retention is by the clock of the machine, as is the age of a message, even if a test moves tokio's clock: the
///   inbox knows a message that comes again after weeks of tokio's clock. To test an old message, publish one whose id
///   or time is old.
/// - A delivery that its store keeps is due by tokio's clock.
/// - What its delivery store keeps is due by tokio's clock.
///
/// # Units
///
/// The [retention](Self::with_retention) is 7 days by default. The inbox forgets an entry after twice the retention.
///
/// # Example
///
/// ```
/// use diator::inbox::InMemoryInbox;
/// use diator::outbox::InMemoryOutbox;
/// use diator::prelude::*;
/// # use diator::broker::{InboundMessage, MessageType};
/// # #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)] struct OrderPlaced;
///
/// #[event_handler(OrderPlaced, id = "billing.charge")]
/// struct Charge;
/// # impl EventHandler<OrderPlaced> for Charge {
/// #     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let outbox = InMemoryOutbox::new();
/// let mediator = Mediator::builder()
///     .handlers(handlers![Charge])
///     .container(outbox.services())
///     .broker(InMemoryBroker::new())
///     .outbox(outbox)
///     .inbox(InMemoryInbox::new())
///     .build()?;
/// # let message = InboundMessage::new(MessageType::Notification, "OrderPlaced", uuid::Uuid::now_v7(), serde_json::json!({}));
/// let arrival = mediator.arrive(message)?;
/// let charge = arrival.handlers()[0];
/// assert_eq!(arrival.handle_once(&charge, "billing", 0).await?, diator::Handling::Handled);
/// assert_eq!(arrival.handle_once(&charge, "billing", 0).await?, diator::Handling::Before);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct InMemoryInbox {
    entries: Arc<Mutex<Entries>>,
    /// A row was put or replayed.
    put: Arc<Notify>,
    attempts: InMemoryAttemptLog,
    retention: Duration,
}

const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

#[derive(Default)]
pub(super) struct Entries {
    /// By generation, too.
    by_key: HashMap<Key, BTreeMap<u32, State>>,
    /// Those that are committed, in the order of their commits.
    committed: VecDeque<(Instant, Key, u32)>,
    pub(super) rows: Rows,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    endpoint: Box<str>,
    handler: Box<str>,
    message: Uuid,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Entered,
    Committed,
}

impl InMemoryInbox {
    /// Makes an empty inbox.
    #[must_use]
    pub fn new() -> Self {
        let (entries, put, attempts) = (Arc::default(), Arc::default(), InMemoryAttemptLog::new());
        Self { entries, put, attempts, retention: RETENTION }
    }

    /// Sets how long it remembers at least that a message was handled.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those know that wait for rows, and whoever asks next.
    pub(super) fn wake(&self) {
        self.put.notify_waiters();
        self.put.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.put.notified().await;
    }
}

impl Entries {
    /// Whether the handler has handled the message, or has failed on it for good, in any generation.
    pub(super) fn is_handled(&self, delivery: &NewDelivery) -> bool {
        let generations = self.by_key.get(&Key::of_delivery(delivery));
        generations.is_some_and(|of| of.values().any(|state| *state == State::Committed))
    }

    /// The handler is done with the message, in this generation.
    pub(super) fn note_done(&mut self, delivery: &NewDelivery) {
        self.commit(Key::of_delivery(delivery), delivery.generation);
    }

    fn commit(&mut self, key: Key, generation: u32) {
        let before = self.by_key.entry(key.clone()).or_default().insert(generation, State::Committed);
        if before != Some(State::Committed) {
            self.committed.push_back((Instant::now(), key, generation));
        }
    }

    fn forget(&mut self, key: &Key, generation: u32) {
        if let Some(generations) = self.by_key.get_mut(key) {
            generations.remove(&generation);
            if generations.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    fn forget_old(&mut self, kept: Duration) {
        while self.committed.front().is_some_and(|(at, ..)| at.elapsed() > kept) {
            if let Some((_, key, generation)) = self.committed.pop_front() {
                self.forget(&key, generation);
            }
        }
    }
}

impl Default for InMemoryInbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemoryInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: usize = self.lock().by_key.values().map(BTreeMap::len).sum();
        f.debug_struct("InMemoryInbox").field("entries", &entries).field("retention", &self.retention).finish()
    }
}

#[async_trait]
impl Inbox for InMemoryInbox {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<InMemoryTransaction>())
    }

    fn how_to_register(&self) -> Option<&str> {
        Some("add the outbox's services to the container: `Services::new().extend(outbox.services())`")
    }

    fn retention(&self) -> Duration {
        self.retention
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        let transaction = scope.get::<InMemoryTransaction>(meta).await?;
        let (key, generation) = (Key::of(entry), entry.generation);
        let mut entries = self.lock();
        entries.forget_old(self.retention.saturating_mul(2));
        let seen = match entries.by_key.get(&key).and_then(|generations| generations.get(&generation)) {
            None if entry.turn.is_some_and(|turn| entries.rows.hold(entry.endpoint, turn)) => Seen::Behind,
            None => Seen::First,
            Some(State::Committed) => Seen::Before,
            Some(State::Entered) => Seen::Busy,
        };
        if seen == Seen::First {
            entries.by_key.entry(key.clone()).or_default().insert(generation, State::Entered);
            drop(entries);
            transaction.join(Box::new(Entered { inbox: self.clone(), key, generation }));
        }
        Ok(seen)
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        Some(Arc::new(InMemoryDeliveries(self.clone())))
    }

    fn attempt_log(&self) -> Option<Arc<dyn AttemptLog>> {
        Some(Arc::new(self.attempts.clone()))
    }
}

impl Key {
    fn of(entry: &Entry<'_>) -> Self {
        let Entry { endpoint, handler, message, .. } = *entry;
        Self { endpoint: endpoint.into(), handler: handler.into(), message }
    }

    fn of_delivery(delivery: &NewDelivery) -> Self {
        Self { endpoint: (*delivery.endpoint).into(), handler: delivery.handler.clone(), message: delivery.message }
    }
}

/// An entry whose transaction has not ended; dropping it forgets the entry.
struct Entered {
    inbox: InMemoryInbox,
    key: Key,
    generation: u32,
}

impl Joined for Entered {
    fn committed(&self) {
        self.inbox.lock().commit(self.key.clone(), self.generation);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut entries = self.inbox.lock();
        let state = entries.by_key.get(&self.key).and_then(|generations| generations.get(&self.generation));
        if state == Some(&State::Entered) {
            entries.forget(&self.key, self.generation);
        }
    }
}
