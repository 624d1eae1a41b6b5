use std::time::Duration;

use async_trait::async_trait;
use diator::BoxError;
use diator::deliveries::{
    DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, KeptDelivery, LeasedDelivery,
    NewDelivery,
};
use diator::inbox::Turn;
use diator::subscription::Settled;
use tokio::sync::Notify;

use super::Database;
use super::call::{Away, call};
use crate::engine::At;
use crate::process::Process;

/// The delivery store of the world, as a process reaches it.
pub(crate) struct Deliveries {
    process: Process,
    put: Notify,
}

impl Deliveries {
    pub(crate) fn new(process: Process) -> Self {
        Self { process, put: Notify::new() }
    }
}

#[async_trait]
impl DeliveryStore for Deliveries {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        let (process, deliveries) = (self.process.number(), deliveries.to_vec());
        call(&self.process, move |database, at| database.put(process, &deliveries, at)).await?;
        self.put.notify_one();
        Ok(())
    }

    async fn lease(&self, _: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let process = self.process.number();
        call(&self.process, move |database, at| database.lease(process, most as usize, period, at)).await
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        let (leases, beside) = (leases.to_vec(), self.extends_beside_handlers());
        let extend = move |database: &mut Database, at: &mut At<'_>| {
            let may = beside || !database.is_writing();
            may.then(|| database.extend(&leases, period, at)).ok_or(Away)
        };
        Ok(call(&self.process, extend).await??)
    }

    fn extends_beside_handlers(&self) -> bool {
        self.process.world().plan().store.as_ref().is_none_or(|plan| plan.extends_beside_handlers)
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        let (process, settlements) = (self.process.number(), settlements.to_vec());
        call(&self.process, move |database, at| database.settle(process, &settlements, at)).await
    }

    async fn next_due(&self, _: &str) -> Result<Option<Duration>, BoxError> {
        call(&self.process, Database::next_due).await
    }

    async fn is_held(&self, _: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        let (topic, key) = (turn.topic.to_owned(), turn.key.to_owned());
        call(&self.process, move |database, _| database.is_held(&topic, &key)).await
    }

    async fn woken(&self) {
        self.put.notified().await;
    }

    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError> {
        call(&self.process, |database, at| vec![database.status("billing", at.now)]).await
    }

    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
        let filter = filter.clone();
        call(&self.process, move |database, _| database.list(&filter)).await
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let filter = filter.clone();
        let replayed = call(&self.process, move |database, at| database.replay(&filter, at)).await?;
        self.put.notify_one();
        Ok(replayed)
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let filter = filter.clone();
        let hastened = call(&self.process, move |database, at| database.hasten(&filter, at)).await?;
        self.put.notify_one();
        Ok(hastened)
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let filter = filter.clone();
        call(&self.process, move |database, at| database.discard(&filter, at)).await
    }
}
