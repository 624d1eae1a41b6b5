use std::time::Duration;

use async_trait::async_trait;

use crate::broker::OutboundMessage;
use crate::container::{DependencyKey, Scope};
use crate::{BoxError, Meta};

/// Writes broker events in the same transaction as the data that they describe.
///
/// A process can die between the commit and the publishing. An outbox writes the events as rows in the unit of work's own
/// transaction, and a [`Relay`](crate::relay::Relay) publishes them from there. A mediator with an outbox publishes nothing itself,
/// even if it has a broker.
///
/// # Guarantees
///
/// The mediator keeps these:
///
/// - It calls [`stage`](Self::stage) at most once for each attempt of a unit of work: after all handlers of domain events, before
///   the commit, and only if there are messages. The call opens the scope if no handler has opened it.
/// - It passes the messages in the order in which the handlers emitted the events. Each message has its final id and body: a relay
///   publishes it unchanged.
/// - It calls [`committed`](Self::committed) once for each unit of work whose messages were staged and whose commit succeeded,
///   before the `after_commit` handlers run. It does not call it if the commit failed or its outcome is unknown.
/// - An `after_commit` handler has its own unit of work, and the mediator calls `stage` for that one separately.
/// - It may call from several threads at once, for different messages.
///
/// An implementation must keep these:
///
/// - The rows must disappear if the unit of work rolls back after `stage` has answered `Ok`.
/// - The rows must disappear if the future of `stage` is dropped.
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
    /// Names the unit of work whose transaction the outbox writes in.
    ///
    /// `None` means that there is no transaction, as in a test. The answer must be the same each time.
    ///
    /// `build()` reports a unit of work that the container does not commit and roll back with its message. It also reports a second
    /// unit of work, because one of the two could commit while the other fails.
    fn unit_of_work(&self) -> Option<DependencyKey>;

    /// Says how a program registers the unit of work, if a container lacks it.
    ///
    /// `build()` shows it as the remedy. Without it, `build()` shows how to register any unit of work.
    fn how_to_register(&self) -> Option<&str> {
        None
    }

    /// Names the tables that it writes to, without credentials.
    ///
    /// A [`Host`](crate::host::Host) refuses a relay whose store names another [place](super::OutboxStore::place). `None` means that
    /// the host cannot compare them.
    fn place(&self) -> Option<String> {
        None
    }

    /// Writes the messages in the scope's transaction, in order.
    ///
    /// `meta` belongs to the request or event whose handlers emitted them.
    ///
    /// # Errors
    ///
    /// - The outbox cannot write the messages. The request fails as [`SendError::Stage`](crate::SendError::Stage) with this error as
    ///   its source, and its scope rolls back. The mediator does not know whether a retry can help: a
    ///   [`RetryMiddleware`](crate::middleware::RetryMiddleware) tries again only if one of its rules matches the error.
    /// - A message has a [`delay`](StagedMessage::delay), and the outbox cannot hold messages back. It must refuse the message.
    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError>; // put `#[diator::async_trait]` on the `impl`

    /// Learns that the commit has succeeded, and wakes the relay.
    ///
    /// It must return at once, because it runs in the task that completes the commit. If the process or the runtime ends before this
    /// call, the relay finds the rows at its next poll. The mediator logs a panic.
    fn committed(&self) {}
}

/// A message on its way into the outbox.
///
/// # Units
///
/// `delay` counts from the moment when the outbox writes the message, by the clock of its database. `None` means no delay. A relay
/// publishes the message when the delay is over, or later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StagedMessage {
    /// The message as the broker will get it.
    pub message: OutboundMessage,
    /// How long the outbox holds it back.
    pub delay: Option<Duration>,
}

impl StagedMessage {
    /// Makes a message that a relay may publish at once.
    #[must_use]
    pub fn new(message: OutboundMessage) -> Self {
        Self { message, delay: None }
    }

    /// Holds the message back for this long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }
}
