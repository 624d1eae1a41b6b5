use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::group::Group;
use super::groups::InMemoryGroups;
use super::opening::Opening;
use super::source::over;
use crate::subscription::{ConsumeError, DeliveryTag, Observation, Ownership, Settle, Settled, Settlement};

/// Where the verdicts of one opening go.
pub(super) struct InMemorySettle {
    opening: Arc<Opening>,
}

impl InMemorySettle {
    pub(super) fn new(opening: Arc<Opening>) -> Self {
        Self { opening }
    }

    fn settle_one(
        &self,
        groups: &mut InMemoryGroups,
        settlement: &Settlement,
        now: Instant,
    ) -> Result<Settled, ConsumeError> {
        if groups.faults.fails_settlement() {
            return Err(ConsumeError::transient("in-memory broker is set to fail the settlement"));
        }
        let settled = self.opening.among(groups, now, |group, member, now| group.settle(member, settlement, now));
        if groups.faults.loses_answer() {
            return Err(ConsumeError::transient("in-memory broker is set to lose the answer"));
        }
        settled.unwrap_or(Ok(Settled::LockLost))
    }

    /// Settles what is held, and stops each partition at its first failure where settling has an order.
    fn settle_in_turn(
        &self,
        groups: &mut InMemoryGroups,
        batch: &[Settlement],
        now: Instant,
    ) -> Vec<Result<Settled, ConsumeError>> {
        let mut failed = BTreeMap::<usize, (_, String)>::new();
        let settle = |settlement: &Settlement| {
            let place = |group: &mut Group, member, _| group.place_in_order(member, settlement.tag);
            let Some(place) = self.opening.among(groups, now, place) else {
                return Ok(Settled::LockLost);
            };
            if let Some((kind, message)) = place.and_then(|place| failed.get(&place)) {
                return Err(ConsumeError::new(*kind, message.clone()));
            }
            let settled = self.settle_one(groups, settlement, now);
            if let (Some(place), Err(error)) = (place, &settled) {
                failed.insert(place, (error.kind(), error.to_string()));
            }
            settled
        };
        batch.iter().map(settle).collect()
    }
}

#[async_trait]
impl Settle for InMemorySettle {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        loop {
            let stirred = self.opening.broker.deliverable().notified();
            let hangs = self.opening.broker.engine(|groups, _| groups.faults.settling_hangs);
            if !hangs || self.opening.with(|_, _, _| ()).is_none() {
                break;
            }
            stirred.await;
        }
        let now = Instant::now();
        let settled = self.opening.broker.engine(|groups, _| self.settle_in_turn(groups, batch, now));
        self.opening.broker.changed().notify_waiters();
        settled
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        let extend = |tag: &DeliveryTag| self.opening.with(|group, member, now| group.extend(member, *tag, now));
        held.iter().map(|tag| extend(tag).unwrap_or(Ok(Settled::LockLost))).collect()
    }

    fn revoked(&self, owners: &[Ownership]) {
        self.opening.with(|group, member, now| group.revoked(member, owners, now));
    }

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        let unheard = self.opening.broker.engine(|groups, _| groups.faults.unheard());
        let observation = self.opening.with(|group, member, now| group.observe(member, now)).ok_or_else(over)?;
        Ok(observation.with_heard(unheard))
    }

    async fn close(&self) {
        self.opening.with(Group::close);
    }
}
