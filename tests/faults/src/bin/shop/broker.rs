use std::borrow::Cow;
use std::time::Duration;

use diator::async_trait;
use diator::broker::{EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError, Receipt};
use diator_faults::die;
use tokio::time::sleep;

use crate::fail_point::FailPoint;

/// A broker whose process ends in the middle of a batch, or when the broker has all of it.
pub(crate) struct FailingBroker<B> {
    pub(crate) inner: B,
    pub(crate) mid_publish: Option<FailPoint>,
    pub(crate) published: Option<FailPoint>,
    /// How long each call takes at least.
    pub(crate) pause: Duration,
}

#[async_trait]
impl<B: MessageBroker> MessageBroker for FailingBroker<B> {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        sleep(self.pause).await;
        let receipt = self.inner.publish(message).await?;
        self.published.iter().for_each(FailPoint::pass);
        Ok(receipt)
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        if self.mid_publish.as_ref().is_some_and(FailPoint::is_reached) {
            self.inner.publish_batch(&messages[..messages.len() / 2]).await;
            die();
        }
        sleep(self.pause).await;
        let answers = self.inner.publish_batch(messages).await;
        self.published.iter().for_each(FailPoint::pass);
        answers
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    fn deadline(&self) -> Option<Duration> {
        self.inner.deadline()
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.inner.accepts(event)
    }

    fn destination(&self, event: &EventRoute<'_>) -> Cow<'_, str> {
        self.inner.destination(event)
    }
}
