//! What endpoints keep.

mod chosen;
mod lease;
mod put;
mod row;
mod settle;
mod status;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use diator::deliveries::{
    DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, KeptDelivery, LeasedDelivery,
    NewDelivery,
};
use diator::inbox::Turn;
use diator::subscription::Settled;
use diator::{BoxError, async_trait};
use sqlx::Postgres;

pub(super) use self::row::stored;
pub(super) use self::turn::queue;
use crate::store::{Prefix, SqlxDeliveries};

/// The texts of all statements, with the names of the tables.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    put: put::Sql,
    lease: lease::Sql,
    settle: settle::Sql,
    chosen: chosen::Sql,
    status: Arc<str>,
    is_held: Arc<str>,
    promote: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            put: put::Sql::new(prefix),
            lease: lease::Sql::new(prefix),
            settle: settle::Sql::new(prefix),
            chosen: chosen::Sql::new(prefix),
            status: prefix.fill(status::STATUS),
            is_held: prefix.fill(&turn::is_held_text()),
            promote: prefix.fill(turn::PROMOTE),
        }
    }
}

#[async_trait]
impl DeliveryStore for SqlxDeliveries<Postgres> {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        put::put(self, deliveries).await.map_err(|error| self.explain(error))?;
        self.shared.wake.delivered();
        Ok(())
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        lease::lease(&self.shared, endpoint, most, period).await.map_err(|error| self.explain(error))
    }

    fn extends_beside_handlers(&self) -> bool {
        true
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        lease::extend(&self.shared, leases, period).await.map_err(|error| self.explain(error))
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        settle::settle(self, settlements).await.map_err(|error| self.explain(error))
    }

    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError> {
        lease::next_due(&self.shared, endpoint).await.map_err(|error| self.explain(error))
    }

    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        turn::is_held(&self.shared, endpoint, turn).await.map_err(|error| self.explain(error))
    }

    async fn woken(&self) {
        self.changed().await;
    }

    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError> {
        status::status(&self.shared).await.map_err(|error| self.explain(error))
    }

    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
        chosen::list(&self.shared, filter).await.map_err(|error| self.explain(error))
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let replayed = chosen::replay(&self.shared, filter).await.map_err(|error| self.explain(error))?;
        self.shared.wake.delivered();
        Ok(replayed)
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let hastened = chosen::hasten(&self.shared, filter).await.map_err(|error| self.explain(error))?;
        self.shared.wake.delivered();
        Ok(hastened)
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let discarded = chosen::discard(&self.shared, filter).await.map_err(|error| self.explain(error));
        // What a discarded one has held back can go on.
        self.shared.wake.delivered();
        discarded
    }
}
