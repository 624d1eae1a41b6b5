use std::time::Duration;

use diator::broker::{MessageType, OutboundMessage};
use diator::container::Outcome;
use diator::outbox::{
    Claim, Cursor, LeasedPartition, OutboxRow, PARTITIONS, RelayId, Settlement, Skip, StagedMessage, Verdict,
};
use diator::{MessageKind, Meta, Scope};
use uuid::Uuid;

use super::Store;

/// Longer than any case.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// A message of this name with a key, so that all of one key are in one partition.
pub(super) fn keyed(name: &'static str, key: &str) -> OutboundMessage {
    let body = format!("{{\"of\":\"{key}\"}}").into_bytes();
    OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, name, body).with_topic("orders").with_key(key)
}

pub(super) fn a_relay() -> RelayId {
    RelayId(Uuid::now_v7())
}

/// A unit of work that has not ended; dropping it rolls it back.
pub(super) struct Unit<'s> {
    store: &'s Store,
    scope: Box<dyn Scope>,
    staged: bool,
}

impl<'s> Unit<'s> {
    pub(super) async fn begin(store: &'s Store) -> Self {
        let scope = store.container.open(&Meta::new(), MessageKind::Command).get().await.expect("the scope opens");
        Self { store, scope, staged: false }
    }

    pub(super) async fn stage(&mut self, messages: &[StagedMessage]) {
        self.staged = true;
        self.store.outbox.stage(&*self.scope, &Meta::new(), messages).await.expect("the messages are staged");
    }

    pub(super) async fn commit(self) {
        self.scope.close(Outcome::Success).get().await.expect("it commits");
        if self.staged {
            self.store.outbox.committed();
        }
    }

    pub(super) async fn roll_back(self) {
        self.scope.close(Outcome::Failure).get().await.expect("it rolls back");
    }
}

impl Store {
    /// Commits messages in one unit of work.
    pub(super) async fn put(&self, messages: impl IntoIterator<Item = OutboundMessage>) {
        self.put_staged(messages.into_iter().map(StagedMessage::new)).await;
    }

    pub(super) async fn put_staged(&self, messages: impl IntoIterator<Item = StagedMessage>) {
        let messages: Vec<_> = messages.into_iter().collect();
        let mut unit = Unit::begin(self).await;
        unit.stage(&messages).await;
        unit.commit().await;
    }

    /// Leases all that there is for so long that it does not end.
    pub(super) async fn lease_all(&self, relay: RelayId) -> Vec<LeasedPartition> {
        self.relay.lease(relay, PARTITIONS, LONG).await.expect("the database is there").partitions
    }

    /// All that is pending in these partitions.
    pub(super) async fn claim(&self, leases: &[LeasedPartition]) -> Vec<OutboxRow> {
        self.claim_without(leases, &Skip::default()).await
    }

    pub(super) async fn claim_without(&self, leases: &[LeasedPartition], skip: &Skip) -> Vec<OutboxRow> {
        let cursors: Vec<_> = leases.iter().map(|&lease| Cursor { lease, after: None }).collect();
        self.relay
            .claim(Claim { cursors: &cursors, limit: 10_000, max_bytes: u64::MAX, skip, horizon: None })
            .await
            .expect("the database is there")
    }

    pub(super) async fn settle(&self, leases: &[LeasedPartition], rows: &[OutboxRow], verdict: &Verdict) {
        self.relay.settle(&settlements(leases, rows, verdict)).await.expect("the database is there");
    }
}

pub(super) fn settlements(leases: &[LeasedPartition], rows: &[OutboxRow], verdict: &Verdict) -> Vec<Settlement> {
    let epoch = |partition| leases.iter().find(|lease| lease.partition == partition).expect("it is leased").epoch;
    let settle =
        |row: &OutboxRow| Settlement { place: row.place, epoch: epoch(row.place.partition), verdict: verdict.clone() };
    rows.iter().map(settle).collect()
}

pub(super) fn dead(parks_key: bool) -> Verdict {
    Verdict::Dead { reason: "the broker says: too large".to_owned(), parks_key }
}

pub(super) fn names(rows: &[OutboxRow]) -> Vec<&str> {
    rows.iter().map(|row| &*row.message.name).collect()
}
