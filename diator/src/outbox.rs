use async_trait::async_trait;

use crate::broker::OutboundMessage;
use crate::container::Scope;
use crate::{BoxError, Meta};

/// Keeps broker events with the data that they speak of, instead of publishing them after the commit.
///
/// Between a commit and the publishing a process can die. With an outbox the events become rows in the unit of work's own
/// transaction, and a relay publishes them from there. A mediator with an outbox publishes nothing itself, also if it has a
/// broker.
///
/// # Guarantees
///
/// - [`stage`](Self::stage) is called at most once for each attempt of a unit of work: after all handlers of domain events,
///   before the commit, and only if there are messages. It opens the scope if no handler has.
/// - The messages come in the order in which their events were emitted, each with its final id and body: a relay publishes them
///   as they are.
/// - `Ok` is no commit: the unit of work can still roll back, and the rows must go with it. So must they if the future is
///   dropped.
/// - An `after_commit` handler has a unit of work of its own, and so a call of its own.
/// - Calls for several messages may come from several threads at once.
///
/// # Example
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use diator::container::Scope;
/// use diator::prelude::*;
/// use diator::{Meta, Outbox, OutboundMessage};
///
/// #[derive(Debug, serde::Serialize, NotificationEvent)]
/// struct UserJoined { user_id: u64 }
///
/// #[derive(Clone, Default)]
/// struct Rows(Arc<Mutex<Vec<OutboundMessage>>>);
///
/// #[diator::async_trait]
/// impl Outbox for Rows {
///     async fn stage(&self, _: &dyn Scope, _: &Meta, messages: &[OutboundMessage]) -> Result<(), BoxError> {
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
/// let mediator = Mediator::builder().handlers(handlers![Handle]).outbox(rows.clone()).build()?;
/// mediator.emit(UserJoined { user_id: 7 }).await?;
/// assert_eq!(rows.0.lock().unwrap()[0].name, "UserJoined");
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// The pattern Transactional Outbox of C. Richardson, "Microservices Patterns".
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Writes the messages within the scope's transaction, in order; `meta` is what caused them.
    ///
    /// # Errors
    ///
    /// They could not be written: the message fails as [`SendError::Stage`](crate::SendError::Stage), and its scope
    /// rolls back. The error is its source. Whether a retry can help, the mediator cannot know: a
    /// [`RetryMiddleware`](crate::middleware::RetryMiddleware) tries again only if one of its rules says so.
    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[OutboundMessage]) -> Result<(), BoxError>; // `#[diator::async_trait]` on the `impl`
}
