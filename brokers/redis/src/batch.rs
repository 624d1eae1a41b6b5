//! Pipelines: how many messages share one, and which reply belongs to which.

use redis::{Pipeline, Value};

use super::RedisBroker;
use super::connection::Span;
use super::error::Failure;
use diator::broker::{OutboundMessage, PublishError, Receipt};

/// What one pipeline holds at most: the client copies it twice, and nothing of it is answered before all of it.
const MESSAGES: usize = 1_000;
const BYTES: usize = 4 * 1024 * 1024;

/// The first of some messages, as one pipeline.
pub(super) struct Batch {
    pipeline: Pipeline,
    /// One for each message; what was refused here is not in the pipeline.
    refused: Vec<Option<PublishError>>,
}

impl Batch {
    /// Takes as many messages as fit, at least one.
    pub(super) fn of(broker: &RedisBroker, messages: &[OutboundMessage]) -> Self {
        let most = messages.len().min(MESSAGES);
        let mut batch = Self { pipeline: Pipeline::with_capacity(most), refused: Vec::with_capacity(most) };
        let mut bytes = 0;
        for message in &messages[..most] {
            bytes += message.body.len();
            if bytes > BYTES && !batch.pipeline.is_empty() {
                break;
            }
            batch.refused.push(broker.command(message).map(|command| batch.pipeline.add_command(command)).err());
        }
        batch
    }

    /// Answers for as many messages as it took.
    pub(super) async fn publish(self, broker: &RedisBroker, call: Span) -> Vec<Result<Receipt, PublishError>> {
        let replies = if self.pipeline.is_empty() { Ok(Vec::new()) } else { self.replies(broker, call).await };
        match replies {
            Ok(replies) => {
                let mut replies = replies.into_iter();
                let mut receipt = || broker.receipt(replies.next().unwrap_or_default());
                self.refused.into_iter().map(|refused| refused.map_or_else(&mut receipt, Err)).collect()
            }
            Err(failure) => {
                self.refused.into_iter().map(|refused| Err(refused.unwrap_or_else(|| broker.error(&failure)))).collect()
            }
        }
    }

    async fn replies(&self, broker: &RedisBroker, call: Span) -> Result<Vec<Value>, Failure> {
        if call.is_over() {
            return Err(Failure::NotSent(call.length()));
        }
        broker.link.ready(call).await?.pipeline(call, &self.pipeline).await
    }
}
