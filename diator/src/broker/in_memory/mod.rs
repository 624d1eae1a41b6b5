mod behaviour;
mod log;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;

use self::behaviour::{Mode, refusal};
pub(crate) use self::log::{Kept, Log};
use super::{Guarantees, MessageBroker, OutboundMessage, PublishError, Receipt};
use crate::subscription::InMemoryGroups;

/// A broker in memory, which keeps the published messages: for tests and for programs of one process.
///
/// A test can make it misbehave as brokers do: with [`refuse`](Self::refuse) and [`hang`](Self::hang). A test asks it
/// with [`assert_published`](Self::assert_published) and its neighbours.
///
/// Endpoints consume from it, because it is a [`Subscription`](crate::subscription::Subscription) too, with every
/// capability that an engine can have. [`subscription`](Self::subscription) makes a subscription that lacks some of
/// them.
///
/// # Guarantees
///
/// - Clones share everything: the published messages, and the broker's behaviour.
/// - Messages are kept in the order in which they were accepted, each exactly as it was given, until
///   [`take_published`](Self::take_published) takes them. There is no limit: a program that publishes for ever must
///   take them.
/// - A refused message is not kept, whatever the kind of the refusal; nor is a message whose `publish` was dropped
///   while the broker hung.
/// - A message with an id that was published before is kept a second time.
/// - All methods may be called from many threads and tasks at once.
/// - It names no [`deadline`](MessageBroker::deadline): a message that hangs does so until the broker behaves
///   otherwise.
/// - Every method that changes its behaviour, except [`hang`](Self::hang), lets the messages that hang now get their
///   answers.
///
/// # Example
///
/// ```
/// use diator::broker::{InMemoryBroker, MessageBroker, MessageType, OutboundMessage, PublishErrorKind};
/// use uuid::Uuid;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = InMemoryBroker::new();
/// let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "UserJoined", *b"{}");
///
/// broker.refuse_next(1, PublishErrorKind::Ambiguous);
/// assert!(broker.publish(&message).await.is_err());
/// broker.publish(&message).await?;
/// assert_eq!(broker.published(), [message]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct InMemoryBroker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    /// Wakes those who consume.
    deliverable: Notify,
}

#[derive(Default)]
struct State {
    published: Log,
    mode: Mode,
    groups: InMemoryGroups,
}

impl InMemoryBroker {
    /// Makes an empty broker that accepts everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The published messages, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<OutboundMessage> {
        self.state().published.messages().cloned().collect()
    }

    /// The bodies of the published messages, oldest first; a body that is not JSON comes as a text.
    #[must_use]
    pub fn published_json(&self) -> Vec<Value> {
        self.published().iter().map(|message| json(&message.body)).collect()
    }

    /// Removes the published messages, and returns them, oldest first.
    ///
    /// The broker's behaviour stays as it is, and callers that wait in [`published_at_least`](Self::published_at_least)
    /// do not wake. Endpoints still get the messages that wait for them. A message that was taken is neither kept for
    /// an endpoint that comes later, nor [replayed](Self::replay).
    pub fn take_published(&self) -> Vec<OutboundMessage> {
        let mut state = self.state();
        let taken = state.published.take();
        let end = state.published.end();
        state.groups.forget_settled(end);
        taken
    }

    /// How many messages the broker keeps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().published.len()
    }

    /// Whether the broker keeps no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until the broker keeps at least `count` messages, and returns all of them; it waits for ever if they do
    /// not come.
    ///
    /// Dropping the future is harmless.
    pub async fn published_at_least(&self, count: usize) -> Vec<OutboundMessage> {
        loop {
            let changed = self.shared.changed.notified();
            let published = self.published();
            if published.len() >= count {
                return published;
            }
            changed.await;
        }
    }

    /// The answer to a message, or `None` while the broker hangs.
    fn answer(&self, message: &OutboundMessage) -> Option<Result<Receipt, PublishError>> {
        let mut state = self.state();
        match state.mode.next() {
            Mode::Hang => return None,
            Mode::Refuse(kind) | Mode::RefuseNext(_, kind) => return Some(Err(refusal(kind))),
            Mode::RefuseIf(judge) => {
                drop(state); // The judge may use this broker.
                if let Some(error) = judge(message) {
                    return Some(Err(error));
                }
                state = self.state();
            }
            Mode::Accept => {}
        }
        let kept = state.published.append(message.clone());
        let awaited = state.groups.published(&kept);
        drop(state);
        self.shared.changed.notify_waiters();
        if awaited {
            self.shared.deliverable.notify_waiters();
        }
        Some(Ok(Receipt::Accepted))
    }

    /// Lets the consuming half work with its groups, and with what was published.
    pub(crate) fn consuming<T>(&self, act: impl FnOnce(&mut InMemoryGroups, &Log) -> T) -> T {
        let State { published, groups, .. } = &mut *self.state();
        act(groups, published)
    }

    /// What [`notify_waiters`](Notify::notify_waiters) is called on when something was published or settled, or the broker behaves otherwise.
    pub(crate) fn changed(&self) -> &Notify {
        &self.shared.changed
    }

    /// What [`notify_waiters`](Notify::notify_waiters) is called on when something can be delivered that could not before.
    pub(crate) fn deliverable(&self) -> &Notify {
        &self.shared.deliverable
    }

    // Nothing that runs under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

#[async_trait]
impl MessageBroker for InMemoryBroker {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        loop {
            let changed = self.shared.changed.notified();
            if let Some(answer) = self.answer(message) {
                return answer;
            }
            changed.await;
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none().ordered().confirmed().retained()
    }

    fn identity(&self) -> Option<usize> {
        Some(Arc::as_ptr(&self.shared).addr())
    }
}

impl fmt::Debug for InMemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published = self.published();
        f.debug_struct("InMemoryBroker").field("published", &published).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
