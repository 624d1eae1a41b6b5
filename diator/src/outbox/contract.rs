use std::time::Duration;

use async_trait::async_trait;

use crate::broker::OutboundMessage;
use crate::container::{DependencyKey, Scope};
use crate::{BoxError, Meta};

/// Keeps broker events with the data that they speak of, instead of publishing them after the commit.
///
/// Between a commit and the publishing a process can die. With an outbox the events become rows in the unit of work's own
/// transaction, and a [`Relay`](crate::relay::Relay) publishes them from there. A mediator with an outbox publishes nothing itself,
/// also if it has a broker.
///
/// # Guarantees
///
/// - [`stage`](Self::stage) is called at most once for each attempt of a unit of work: after all handlers of domain events,
///   before the commit, and only if there are messages. It opens the scope if no handler has.
/// - The messages come in the order in which their events were emitted, each with its final id and body: a relay publishes them
///   as they are.
/// - `Ok` is no commit: the unit of work can still roll back, and the rows must go with it. So must they if the future is
///   dropped.
/// - [`committed`](Self::committed) is called once for each unit of work whose messages were staged and whose commit succeeded,
///   before its `after_commit` handlers run; never where the commit failed, or nobody knows what came of it.
/// - An `after_commit` handler has a unit of work of its own, and so a call of its own.
/// - Calls for several messages may come from several threads at once.
///
/// # Example
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use diator::container::Scope;
/// use diator::prelude::*;
/// use diator::container::DependencyKey;
/// use diator::outbox::{Outbox, StagedMessage};
/// use diator::Meta;
///
/// #[derive(Debug, serde::Serialize, NotificationEvent)]
/// struct UserJoined { user_id: u64 }
///
/// #[derive(Clone, Default)]
/// struct Rows(Arc<Mutex<Vec<StagedMessage>>>);
///
/// #[diator::async_trait]
/// impl Outbox for Rows {
///     fn unit_of_work(&self) -> Option<DependencyKey> {
///         None // a real one names its transaction: `Some(DependencyKey::of::<Transaction>())`
///     }
///
///     async fn stage(&self, _: &dyn Scope, _: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
///         self.0.lock().unwrap().extend_from_slice(messages); // a real one takes its transaction from the scope
///         Ok(())
///     }
/// }
///
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let rows = Rows::default();
/// let mediator = Mediator::builder().handlers(handlers![Handle]).outbox(rows.clone()).relayed_elsewhere().build()?;
/// mediator.emit(UserJoined { user_id: 7 }).await?;
/// assert_eq!(rows.0.lock().unwrap()[0].message.name, "UserJoined");
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// The pattern Transactional Outbox of C. Richardson, "Microservices Patterns".
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// The unit of work in whose transaction the messages are written; `None` if there is no transaction, as in a test.
    ///
    /// `build()` reports one that the container does not commit or roll back with its message, and a second unit of work beside it:
    /// the two could end differently. It must give the same answer each time.
    fn unit_of_work(&self) -> Option<DependencyKey>;

    /// Writes the messages within the scope's transaction, in order; `meta` is what caused them.
    ///
    /// # Errors
    ///
    /// They could not be written: the message fails as [`SendError::Stage`](crate::SendError::Stage), and its scope
    /// rolls back. The error is its source. Whether a retry can help, the mediator cannot know: a
    /// [`RetryMiddleware`](crate::middleware::RetryMiddleware) tries again only if one of its rules says so.
    ///
    /// An outbox that cannot keep a message until its delay is over must refuse one with a [`delay`](StagedMessage::delay).
    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError>; // `#[diator::async_trait]` on the `impl`

    /// The commit has succeeded: the rows can be read, and the relay need not wait for its next look.
    ///
    /// It must return at once: it is called in the task that sees the commit through. A process or a runtime that ends before it
    /// loses nothing but time. A panic is logged.
    fn committed(&self) {}
}

/// A message on its way into the outbox.
///
/// # Units
///
/// `delay` counts from when the outbox writes the message, by the clock of its database; `None` means at once. A relay publishes the
/// message when it is over, or later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StagedMessage {
    /// The message as the broker will get it.
    pub message: OutboundMessage,
    /// How long it is held back.
    pub delay: Option<Duration>,
}

impl StagedMessage {
    /// A message that a relay may publish at once.
    #[must_use]
    pub fn new(message: OutboundMessage) -> Self {
        Self { message, delay: None }
    }

    /// Holds it back.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }
}
