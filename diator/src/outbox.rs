use async_trait::async_trait;

use crate::broker::OutboundMessage;
use crate::container::Scope;
use crate::{BoxError, Meta};

/// Keeps broker events with the data that they speak of, instead of publishing them after the commit.
///
/// Between a commit and the publishing a process can die. With an outbox the events become rows in the unit of
/// work's own transaction, and a relay publishes them from there.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Writes the messages within the scope's transaction, in order; `meta` is what caused them.
    ///
    /// # Errors
    ///
    /// They could not be written: the message fails as [`SendError::Stage`](crate::SendError::Stage), and its scope
    /// rolls back.
    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[OutboundMessage]) -> Result<(), BoxError>; // `#[diator::async_trait]` on the `impl`
}
