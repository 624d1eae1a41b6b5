use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Entry, Inbox, Seen};
use crate::container::{DependencyKey, Scope};
use crate::outbox::{InMemoryTransaction, Joined};
use crate::{BoxError, Meta};

/// An inbox in memory, for tests and for a broker in memory.
///
/// # Guarantees
///
/// - It keeps the contract of [`Inbox`], with one exception: **it forgets everything when the process ends**.
/// - It joins the [`InMemoryTransaction`] of an [`InMemoryOutbox`](crate::outbox::InMemoryOutbox). An entry and the events of its handler
///   are committed together.
/// - Clones share the entries.
/// - It reads tokio's clock, so that a test with a paused clock can end the retention.
///
/// # Units
///
/// The [retention](Self::with_retention) is 7 days by default. Entries are forgotten after twice the retention.
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
    retention: Duration,
}

const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

#[derive(Default)]
struct Entries {
    by_key: HashMap<Key, State>,
    /// Those that are committed, in the order of their commits.
    committed: VecDeque<(Instant, Key)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    endpoint: Box<str>,
    handler: Box<str>,
    message: Uuid,
    generation: u32,
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
        Self { entries: Arc::default(), retention: RETENTION }
    }

    /// Sets how long it remembers at least that a message was handled.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_old(&self, entries: &mut Entries, now: Instant) {
        let kept = self.retention.saturating_mul(2);
        while let Some((at, _)) = entries.committed.front()
            && now.duration_since(*at) > kept
        {
            let old = entries.committed.pop_front();
            old.and_then(|(_, key)| entries.by_key.remove(&key));
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
        let entries = self.lock().by_key.len();
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
        let key = Key::of(entry);
        let mut entries = self.lock();
        self.forget_old(&mut entries, Instant::now());
        let seen = match entries.by_key.get(&key) {
            None => Seen::First,
            Some(State::Committed) => Seen::Before,
            Some(State::Entered) => Seen::Busy,
        };
        if seen == Seen::First {
            entries.by_key.insert(key.clone(), State::Entered);
            drop(entries);
            transaction.join(Box::new(Entered { inbox: self.clone(), key }));
        }
        Ok(seen)
    }
}

impl Key {
    fn of(entry: &Entry<'_>) -> Self {
        let Entry { endpoint, handler, message, generation, .. } = *entry;
        Self { endpoint: endpoint.into(), handler: handler.into(), message, generation }
    }
}

/// An entry whose transaction has not ended; dropping it forgets the entry.
struct Entered {
    inbox: InMemoryInbox,
    key: Key,
}

impl Joined for Entered {
    fn committed(&self) {
        let mut entries = self.inbox.lock();
        entries.by_key.insert(self.key.clone(), State::Committed);
        entries.committed.push_back((Instant::now(), self.key.clone()));
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut entries = self.inbox.lock();
        if entries.by_key.get(&self.key) == Some(&State::Entered) {
            entries.by_key.remove(&self.key);
        }
    }
}
