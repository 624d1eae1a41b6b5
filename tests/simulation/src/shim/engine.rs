use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use diator::subscription::{
    Capabilities, ConsumeError, Delivery, DeliveryTag, Observation, Opened, Ownership, Settle, Settled, Settlement,
    Source, Subscription, Taken, Verdict, Wanted,
};

use super::Control;
use crate::driver::Driver;

/// Stands between an endpoint and the driver of its engine.
pub(crate) struct Shim {
    driver: Driver,
    control: Control,
}

impl Shim {
    pub(crate) fn new(driver: Driver, control: Control) -> Self {
        Self { driver, control }
    }
}

#[async_trait]
impl Subscription for Shim {
    fn capabilities(&self) -> Capabilities {
        let capabilities = self.driver.capabilities();
        if self.control == Control::LargestOffset { capabilities.settles_out_of_order() } else { capabilities }
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let Opened { source, settle } = self.driver.open(wanted).await?;
        let settle = Arc::new(ShimSettle { settle, control: self.control, acked: Mutex::default() });
        let source = Some(source);
        let source = ShimSource { source, settle: settle.clone(), control: self.control, waiting: Vec::new() };
        Ok(Opened::new(source, settle))
    }
}

struct ShimSource {
    /// It is there until the end.
    source: Option<Box<dyn Source>>,
    settle: Arc<ShimSettle>,
    control: Control,
    /// What is acknowledged before it is handed out.
    waiting: Vec<Delivery>,
}

#[async_trait]
impl Source for ShimSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let Some(source) = &mut self.source else { return std::future::pending().await };
        if self.control != Control::AckFirst {
            let credit = if self.control == Control::UnboundedCredit { usize::MAX } else { credit };
            let mut taken = source.next(credit).await?;
            match (&mut taken, self.control) {
                (Taken::Deliveries(deliveries), Control::WrongOrder) => deliveries.reverse(),
                (Taken::Revoking { owners, .. }, Control::GivesUpEarly) => self.settle.revoked(owners),
                _ => {}
            }
            return Ok(taken);
        }
        if self.waiting.is_empty() {
            match source.next(credit).await? {
                Taken::Deliveries(deliveries) => self.waiting = deliveries,
                news => return Ok(news),
            }
        }
        self.settle.ack(&self.waiting).await;
        Ok(Taken::Deliveries(std::mem::take(&mut self.waiting)))
    }
}

impl Drop for ShimSource {
    fn drop(&mut self) {
        if self.control == Control::ReadsOn
            && let Some(mut source) = self.source.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { while source.next(1).await.is_ok() {} });
        }
    }
}

struct ShimSettle {
    settle: Arc<dyn Settle>,
    control: Control,
    acked: Mutex<BTreeSet<DeliveryTag>>,
}

impl ShimSettle {
    async fn ack(&self, deliveries: &[Delivery]) {
        let batch: Vec<_> = deliveries.iter().map(|delivery| Settlement::new(delivery.tag, Verdict::Ack)).collect();
        let answers = self.settle.settle(&batch).await;
        let done = batch.iter().zip(answers).filter(|(_, answer)| answer.is_ok()).map(|(one, _)| one.tag);
        self.acked.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
    }
}

#[async_trait]
impl Settle for ShimSettle {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        if self.control == Control::AckFirst {
            return batch.iter().map(|_| Ok(Settled::Done)).collect();
        }
        if self.control == Control::DeadLetters {
            let mut batch = batch.to_vec();
            for settlement in batch.iter_mut().filter(|settlement| settlement.verdict == Verdict::Ack) {
                settlement.verdict = Verdict::dead_letter("nobody knows why");
            }
            return self.settle.settle(&batch).await;
        }
        self.settle.settle(batch).await
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        if self.control == Control::NoExtension {
            return held.iter().map(|_| Ok(Settled::Done)).collect();
        }
        self.settle.extend(held).await
    }

    fn revoked(&self, owners: &[Ownership]) {
        self.settle.revoked(owners);
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        self.settle.observe().await
    }

    async fn close(&self) {
        self.settle.close().await;
    }
}
