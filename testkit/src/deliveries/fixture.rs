use std::sync::Arc;
use std::time::Duration;

use diator::deliveries::{
    AttemptLog, DeadReason, DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore,
    DeliveryVerdict, KeptDelivery, LeasedDelivery, NewDelivery, NewState,
};
use diator::inbox::{Entry, Seen, Turn};
use diator::subscription::Settled;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Driver, Store};
use crate::inbox::Unit;

/// Longer than any case.
pub(super) const LONG: Duration = Duration::from_secs(3_600);
pub(super) const ENDPOINT: &str = "billing";
pub(super) const HANDLER: &str = "billing.charge";
const THERE: &str = "the database is there";

/// A store as one process has it.
pub(super) struct Process {
    store: Store,
    pub(super) deliveries: Arc<dyn DeliveryStore>,
}

impl Process {
    pub(super) fn of<D: Driver>(driver: &D) -> Self {
        let store = driver.connect();
        let deliveries = store.inbox.deliveries().expect("the inbox has a delivery store");
        Self { store, deliveries }
    }

    pub(super) fn log(&self) -> Arc<dyn AttemptLog> {
        self.store.inbox.attempt_log().expect("the inbox has an attempt log")
    }

    pub(super) async fn put(&self, deliveries: &[NewDelivery]) {
        self.deliveries.put(deliveries).await.expect(THERE);
    }

    /// Leases for so long that it does not end.
    pub(super) async fn lease(&self, most: u32) -> Vec<LeasedDelivery> {
        self.lease_for(most, LONG).await
    }

    pub(super) async fn lease_for(&self, most: u32, period: Duration) -> Vec<LeasedDelivery> {
        self.deliveries.lease(ENDPOINT, most, period).await.expect(THERE)
    }

    pub(super) async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> bool {
        self.deliveries.is_held(endpoint, turn).await.expect(THERE)
    }

    pub(super) async fn lease_one(&self) -> LeasedDelivery {
        let mut leased = self.lease(1).await;
        assert_eq!(leased.len(), 1, "one is due");
        leased.remove(0)
    }

    /// As [`lease`](Self::lease), again and again until something comes.
    pub(super) async fn lease_in_time(&self) -> LeasedDelivery {
        loop {
            match self.lease(1).await.pop() {
                Some(leased) => return leased,
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// The messages of what can be leased now; they stay leased.
    pub(super) async fn messages(&self) -> Vec<Uuid> {
        self.lease(100).await.iter().map(|leased| leased.delivery.message).collect()
    }

    pub(super) async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Vec<Settled> {
        self.deliveries.extend(leases, period).await.expect(THERE)
    }

    pub(super) async fn settle_all(&self, settlements: &[DeliverySettlement]) -> Vec<Settled> {
        self.deliveries.settle(settlements).await.expect(THERE)
    }

    pub(super) async fn settle(&self, lease: DeliveryLease, verdict: DeliveryVerdict) -> Settled {
        let answers = self.settle_all(&[DeliverySettlement { lease, verdict }]).await;
        assert_eq!(answers.len(), 1, "as many answers as settlements");
        answers[0]
    }

    pub(super) async fn handled(&self, leased: &LeasedDelivery) {
        assert_eq!(self.settle(leased.lease, DeliveryVerdict::Handled).await, Settled::Done);
    }

    pub(super) async fn dead(&self, leased: &LeasedDelivery, holds_key: bool) {
        let verdict = DeliveryVerdict::Dead { reason: reason(), failures: 4, holds_key };
        assert_eq!(self.settle(leased.lease, verdict).await, Settled::Done);
    }

    pub(super) async fn all(&self) -> Vec<KeptDelivery> {
        self.list(&DeliveryFilter::default()).await
    }

    pub(super) async fn list(&self, filter: &DeliveryFilter) -> Vec<KeptDelivery> {
        self.deliveries.list(filter).await.expect(THERE)
    }

    pub(super) async fn replay(&self, filter: &DeliveryFilter) -> u64 {
        self.deliveries.replay(filter).await.expect(THERE)
    }

    pub(super) async fn hasten(&self, filter: &DeliveryFilter) -> u64 {
        self.deliveries.hasten(filter).await.expect(THERE)
    }

    pub(super) async fn discard(&self, filter: &DeliveryFilter) -> u64 {
        self.deliveries.discard(filter).await.expect(THERE)
    }

    pub(super) async fn next_due(&self) -> Option<Duration> {
        self.deliveries.next_due(ENDPOINT).await.expect(THERE)
    }

    pub(super) async fn status(&self) -> Vec<DeliveryStatus> {
        self.deliveries.status().await.expect(THERE)
    }

    /// The transaction of a handler that has entered, and runs.
    pub(super) async fn running(&self, entry: &Entry<'_>) -> Unit<'_> {
        let unit = Unit::begin(&self.store).await;
        assert_eq!(unit.enter(entry).await.expect(THERE), Seen::First);
        unit
    }

    /// Enters the inbox as a handler does, and commits if it is the first.
    pub(super) async fn enter(&self, entry: &Entry<'_>) -> Seen {
        self.store.handle_in_time(entry).await
    }
}

/// A delivery of a new message that is due at once, and has no key.
pub(super) fn delivery() -> NewDelivery {
    NewDelivery::new(ENDPOINT, HANDLER, Uuid::now_v7(), "orders", *b"{}")
}

/// As [`delivery`], and it holds this key.
pub(super) fn keyed(key: &str) -> NewDelivery {
    let mut delivery = delivery();
    (delivery.key, delivery.holds_key) = (Some(key.into()), true);
    delivery
}

pub(super) fn with(mut delivery: NewDelivery, set: impl FnOnce(&mut NewDelivery)) -> NewDelivery {
    set(&mut delivery);
    delivery
}

pub(super) fn after(mut delivery: NewDelivery, after: Duration) -> NewDelivery {
    delivery.state = NewState::Waiting { after };
    delivery
}

pub(super) fn dead(mut delivery: NewDelivery) -> NewDelivery {
    delivery.state = NewState::Dead(reason());
    delivery
}

pub(super) fn reason() -> DeadReason {
    DeadReason::new("Handler", "the card is declined: größe ' \" \\ ?1 $1")
}

/// What the inbox knows the delivery by.
pub(super) fn entry(delivery: &NewDelivery) -> Entry<'_> {
    Entry::new(&delivery.endpoint, &delivery.handler, delivery.message).with_generation(delivery.generation)
}

pub(super) fn messages(deliveries: &[NewDelivery]) -> Vec<Uuid> {
    deliveries.iter().map(|delivery| delivery.message).collect()
}
