use std::sync::Arc;

use async_trait::async_trait;

use super::group::Group;
use super::opening::Opening;
use crate::subscription::{ConsumeError, DeliveryTag, Ownership, Settle, Settled, Settlement};

/// Where the verdicts of one opening go.
pub(super) struct InMemorySettle {
    opening: Arc<Opening>,
}

impl InMemorySettle {
    pub(super) fn new(opening: Arc<Opening>) -> Self {
        Self { opening }
    }

    fn settle_one(&self, settlement: &Settlement) -> Result<Settled, ConsumeError> {
        let broker = &self.opening.broker;
        if broker.engine(|groups, _| groups.faults.fails_settlement()) {
            return Err(ConsumeError::transient("in-memory broker was told to fail the settlement"));
        }
        let settled = self.opening.with(|group, member, now| group.settle(member, settlement, now));
        if broker.engine(|groups, _| groups.faults.loses_answer()) {
            return Err(ConsumeError::transient("in-memory broker was told to lose the answer"));
        }
        settled.unwrap_or(Ok(Settled::LockLost))
    }
}

#[async_trait]
impl Settle for InMemorySettle {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        loop {
            let stirred = self.opening.broker.deliverable().notified();
            if !self.opening.broker.engine(|groups, _| groups.faults.settling_hangs) {
                break;
            }
            stirred.await;
        }
        batch.iter().map(|settlement| self.settle_one(settlement)).collect()
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let extend = |tag: &DeliveryTag| self.opening.with(|group, member, now| group.extend(member, *tag, now));
        held.iter().map(|tag| extend(tag).unwrap_or(Ok(Settled::LockLost))).collect()
    }

    fn revoked(&self, owners: &[Ownership]) {
        self.opening.with(|group, member, now| group.revoked(member, owners, now));
    }

    async fn close(&self) {
        self.opening.with(Group::close);
    }
}
