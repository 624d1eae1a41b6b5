use std::borrow::Cow;
use std::time::{Duration, Instant};

use ::metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use async_trait::async_trait;

use super::{OK, PUBLISH_DURATION, PUBLISHED};
use crate::broker::{EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError, Receipt};

/// Counts published messages by outcome, and measures how long the broker takes.
///
/// Around a [`RetryingBroker`](crate::broker::RetryingBroker) it counts messages; within one, attempts. The
/// [module's documentation](crate::metrics) lists its metrics.
///
/// # Guarantees
///
/// It changes nothing between the mediator and the broker. It does not count a call whose future is dropped.
#[derive(Clone, Debug)]
pub struct MetricsBroker<B> {
    broker: B,
}

impl<B: MessageBroker> MetricsBroker<B> {
    /// Wraps a broker, and describes its metrics to the recorder that is installed now.
    #[must_use]
    pub fn new(broker: B) -> Self {
        describe_counter!(PUBLISHED, Unit::Count, "Messages that were given to the broker, by outcome.");
        describe_histogram!(PUBLISH_DURATION, Unit::Seconds, "How long a call to the broker took.");
        Self { broker }
    }
}

#[async_trait]
impl<B: MessageBroker> MessageBroker for MetricsBroker<B> {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        let begun = Instant::now();
        let answer = self.broker.publish(message).await;
        histogram!(PUBLISH_DURATION).record(begun.elapsed());
        count(message, &answer);
        answer
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        let begun = Instant::now();
        let answers = self.broker.publish_batch(messages).await;
        histogram!(PUBLISH_DURATION).record(begun.elapsed());
        messages.iter().zip(&answers).for_each(|(message, answer)| count(message, answer));
        answers
    }

    fn deadline(&self) -> Option<Duration> {
        self.broker.deadline()
    }

    fn guarantees(&self) -> Guarantees {
        self.broker.guarantees()
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.broker.accepts(event)
    }

    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        self.broker.destination(event)
    }

    fn identity(&self) -> Option<usize> {
        self.broker.identity()
    }
}

fn count(message: &OutboundMessage, answer: &Result<Receipt, PublishError>) {
    let outcome = answer.as_ref().map_or_else(|error| error.kind().as_str(), |_| OK);
    counter!(PUBLISHED, "message" => message.name.clone(), "outcome" => outcome).increment(1);
}
