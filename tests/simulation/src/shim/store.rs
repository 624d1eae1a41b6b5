use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diator::BoxError;
use diator::deliveries::{
    DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, DeliveryVerdict, KeptDelivery,
    LeasedDelivery, NewDelivery,
};
use diator::inbox::Turn;
use diator::subscription::Settled;
use tokio::time::sleep;

use super::Control;
use crate::process::Process;
use crate::store::Deliveries;

/// Stands between an endpoint, or an operator, and the store.
pub(crate) struct StoreShim {
    store: Arc<Deliveries>,
    process: Process,
    control: Control,
}

impl StoreShim {
    pub(crate) fn new(store: Deliveries, process: Process, control: Control) -> Self {
        Self { store: Arc::new(store), process, control }
    }
}

#[async_trait]
impl DeliveryStore for StoreShim {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        let mut deliveries = deliveries.to_vec();
        match self.control {
            Control::PutsLater => {
                let store = self.store.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_secs(2)).await;
                    let _late = store.put(&deliveries).await;
                });
                return Ok(());
            }
            Control::PutsWithoutKey => deliveries.iter_mut().for_each(|delivery| delivery.holds_key = false),
            _ => {}
        }
        self.store.put(&deliveries).await
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let leased = self.store.lease(endpoint, most, period).await?;
        if self.control == Control::SettlesFirst {
            let handled =
                |leased: &LeasedDelivery| DeliverySettlement { lease: leased.lease, verdict: DeliveryVerdict::Handled };
            self.store.settle(&leased.iter().map(handled).collect::<Vec<_>>()).await?;
        }
        Ok(leased)
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        if matches!(self.control, Control::SettlesFirst | Control::NoLeaseExtension) {
            return Ok(vec![Settled::Done; leases.len()]);
        }
        self.store.extend(leases, period).await
    }

    fn extends_beside_handlers(&self) -> bool {
        self.store.extends_beside_handlers()
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        let mut settlements = settlements.to_vec();
        match self.control {
            Control::SettlesFirst => return Ok(vec![Settled::Done; settlements.len()]),
            Control::NotFenced => {
                for DeliverySettlement { lease, .. } in &mut settlements {
                    let present = self.process.world().with_store(|database, _| database.present_lease(lease.id));
                    lease.lease = present.unwrap_or(lease.lease);
                }
            }
            _ => {}
        }
        self.store.settle(&settlements).await
    }

    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError> {
        self.store.next_due(endpoint).await
    }

    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        self.store.is_held(endpoint, turn).await
    }

    async fn woken(&self) {
        self.store.woken().await;
    }

    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError> {
        self.store.status().await
    }

    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
        self.store.list(filter).await
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let same = self.control == Control::SameGeneration;
        self.store.replay(filter).await.inspect(|_| {
            if same {
                self.process.world().with_store(|database, _| database.take_generations_back());
            }
        })
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.store.hasten(filter).await
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.store.discard(filter).await
    }
}
