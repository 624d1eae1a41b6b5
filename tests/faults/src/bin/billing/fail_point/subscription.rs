use std::sync::Arc;

use diator::async_trait;
use diator::broker::NotAccepted;
use diator::subscription::{
    Capabilities, ConsumeError, DeliveryTag, Observation, Opened, Ownership, Settle, Settled, Settlement, Source,
    Subscription, Taken, Verdict, Wanted,
};

use super::{FailPoint, Point, die_amid, is_reached, pass};

/// A subscription whose process ends when deliveries have come, or when it acknowledges.
pub(crate) struct FailingSubscription<S> {
    pub(crate) inner: S,
    pub(crate) fail: Option<FailPoint>,
    /// A negative control: it acknowledges whatever comes.
    pub(crate) acks_early: bool,
}

#[async_trait]
impl<S: Subscription> Subscription for FailingSubscription<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn validate(&self, wanted: &Wanted<'_>) -> Vec<NotAccepted> {
        self.inner.validate(wanted)
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let Opened { source, settle } = self.inner.open(wanted).await?;
        let early = self.acks_early.then(|| settle.clone());
        let source = FailingSource { inner: source, fail: self.fail.clone(), early };
        Ok(Opened::new(source, Arc::new(FailingSettle { inner: settle, fail: self.fail.clone() })))
    }
}

struct FailingSource {
    inner: Box<dyn Source>,
    fail: Option<FailPoint>,
    early: Option<Arc<dyn Settle>>,
}

#[async_trait]
impl Source for FailingSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let taken = self.inner.next(credit).await?;
        if let Taken::Deliveries(deliveries) = &taken {
            pass(self.fail.as_ref(), Point::Taken);
            if let Some(settle) = &self.early {
                let acks: Vec<_> =
                    deliveries.iter().map(|delivery| Settlement::new(delivery.tag, Verdict::Ack)).collect();
                settle.settle(&acks).await;
            }
        }
        Ok(taken)
    }
}

struct FailingSettle {
    inner: Arc<dyn Settle>,
    fail: Option<FailPoint>,
}

#[async_trait]
impl Settle for FailingSettle {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        if batch.iter().any(|settlement| settlement.verdict == Verdict::Ack) {
            pass(self.fail.as_ref(), Point::BeforeAck);
            if is_reached(self.fail.as_ref(), Point::MidAck) {
                return die_amid(self.inner.settle(batch)).await;
            }
        }
        self.inner.settle(batch).await
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        self.inner.extend(held).await
    }

    fn revoked(&self, owners: &[Ownership]) {
        self.inner.revoked(owners);
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        self.inner.observe().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
