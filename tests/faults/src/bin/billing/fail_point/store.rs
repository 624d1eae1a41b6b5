use std::sync::Arc;
use std::time::Duration;

use diator::deliveries::{
    DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, KeptDelivery, LeasedDelivery,
    NewDelivery, NewState,
};
use diator::inbox::Turn;
use diator::subscription::Settled;
use diator::{BoxError, async_trait};

use super::{FailPoint, Point, die_amid, is_reached, pass};

/// A store whose process ends while it keeps, leases, settles or replays.
pub(crate) struct FailingStore {
    pub(crate) inner: Arc<dyn DeliveryStore>,
    pub(crate) fail: Option<FailPoint>,
}

#[async_trait]
impl DeliveryStore for FailingStore {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        let fail = self.fail.as_ref();
        let is_dead = |delivery: &NewDelivery| matches!(delivery.state, NewState::Dead(_));
        if is_reached(fail, Point::MidPut) {
            return die_amid(self.inner.put(deliveries)).await;
        }
        self.inner.put(deliveries).await?;
        if deliveries.iter().any(is_dead) {
            pass(fail, Point::Dead);
        }
        if !deliveries.iter().all(is_dead) {
            pass(fail, Point::Scheduled);
        }
        Ok(())
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let leased = self.inner.lease(endpoint, most, period).await?;
        if !leased.is_empty() {
            pass(self.fail.as_ref(), Point::Leased);
        }
        Ok(leased)
    }

    fn extends_beside_handlers(&self) -> bool {
        self.inner.extends_beside_handlers()
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        self.inner.extend(leases, period).await
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        if is_reached(self.fail.as_ref(), Point::MidSettle) {
            return die_amid(self.inner.settle(settlements)).await;
        }
        let settled = self.inner.settle(settlements).await?;
        pass(self.fail.as_ref(), Point::Settled);
        Ok(settled)
    }

    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError> {
        self.inner.next_due(endpoint).await
    }

    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        self.inner.is_held(endpoint, turn).await
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }

    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError> {
        self.inner.status().await
    }

    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
        self.inner.list(filter).await
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        if is_reached(self.fail.as_ref(), Point::MidReplay) {
            return die_amid(self.inner.replay(filter)).await;
        }
        self.inner.replay(filter).await
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.inner.hasten(filter).await
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.inner.discard(filter).await
    }
}
