//! A delivery store that fails as a test says.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use crate::container::{DependencyKey, Scope};
use crate::deliveries::{
    AttemptLog, DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryState, DeliveryStatus, DeliveryStore,
    KeptDelivery, LeasedDelivery, NewDelivery,
};
use crate::inbox::{Entry, InMemoryInbox, Inbox, Seen, Turn};
use crate::subscription::Settled;
use crate::{BoxError, Meta};

/// What happens to calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trouble {
    #[default]
    None,
    Fails,
    Hangs,
    Panics,
}

/// An inbox in memory with its store, whose calls a test can let fail.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    inner: InMemoryInbox,
    troubles: Arc<Mutex<Troubles>>,
    /// Whose turn it is to lease or settle rows.
    pub(super) writing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Troubles {
    pub(super) check: Trouble,
    pub(super) enter: Trouble,
    pub(super) put: Trouble,
    pub(super) lease: Trouble,
    pub(super) settle: Trouble,
    pub(super) extend: Trouble,
    pub(super) is_held: Trouble,
    /// How many questions of who holds a key find rows; these are gone then.
    pub(super) held_for: Option<u32>,
    /// It extends no lease while a handler runs.
    pub(super) writes_alone: bool,
    /// How long it takes to lease rows, and to say when the next one is due.
    pub(super) slow: Duration,
    /// A call that settles this row fails.
    pub(super) refuses: Option<i64>,
    /// How often the store was asked for rows.
    pub(super) leases: usize,
}

impl Troubles {
    fn is_last_question(&mut self) -> bool {
        self.held_for = self.held_for.map(|left| left.saturating_sub(1));
        self.held_for == Some(0)
    }
}

impl Faulty {
    pub(super) fn store(&self) -> Arc<dyn DeliveryStore> {
        self.deliveries().expect("memory has a store")
    }

    pub(super) fn troubles(&self, set: impl FnOnce(&mut Troubles)) {
        set(&mut self.troubles.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn seen(&self) -> Troubles {
        *self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows.
    pub(super) async fn rows(&self) -> Vec<KeptDelivery> {
        self.store().list(&DeliveryFilter::default()).await.expect("memory answers")
    }

    /// Of each row: whose it is, its failures, and the kind of its failure if it is dead.
    pub(super) async fn shown(&self) -> Vec<(String, u32, Option<String>)> {
        let shown = |row: KeptDelivery| {
            let kind = match row.state {
                DeliveryState::Waiting { .. } => None,
                DeliveryState::Dead { reason, .. } => Some(reason.kind.into()),
            };
            (row.delivery.handler.into(), row.delivery.failures, kind)
        };
        self.rows().await.into_iter().map(shown).collect()
    }

    pub(super) async fn replay(&self) -> u64 {
        self.store().replay(&DeliveryFilter::dead()).await.expect("memory answers")
    }
}

#[async_trait]
impl Inbox for Faulty {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    fn retention(&self) -> Duration {
        self.inner.retention()
    }

    async fn check(&self) -> Result<(), BoxError> {
        meet(&self.troubles, |troubles| troubles.check).await
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        meet(&self.troubles, |troubles| troubles.enter).await?;
        self.inner.enter(scope, meta, entry).await
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        let inner = self.inner.deliveries()?;
        Some(Arc::new(FaultyStore { inner, troubles: self.troubles.clone(), writing: self.writing.clone() }))
    }

    fn attempt_log(&self) -> Option<Arc<dyn AttemptLog>> {
        self.inner.attempt_log()
    }
}

struct FaultyStore {
    inner: Arc<dyn DeliveryStore>,
    troubles: Arc<Mutex<Troubles>>,
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl FaultyStore {
    async fn meet(&self, which: impl FnOnce(&mut Troubles) -> Trouble) -> Result<(), BoxError> {
        meet(&self.troubles, which).await
    }

    async fn take_time(&self) {
        let time = self.troubles.lock().unwrap_or_else(PoisonError::into_inner).slow;
        if !time.is_zero() {
            sleep(time).await;
        }
    }
}

async fn meet(troubles: &Mutex<Troubles>, which: impl FnOnce(&mut Troubles) -> Trouble) -> Result<(), BoxError> {
    let trouble = which(&mut troubles.lock().unwrap_or_else(PoisonError::into_inner));
    match trouble {
        Trouble::None => Ok(()),
        Trouble::Fails => Err("the database is away".into()),
        Trouble::Hangs => pending().await,
        Trouble::Panics => panic!("the store panics"),
    }
}

#[async_trait]
impl DeliveryStore for FaultyStore {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        self.meet(|troubles| troubles.put).await?;
        self.inner.put(deliveries).await
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let count = |troubles: &mut Troubles| {
            troubles.leases += 1;
            troubles.lease
        };
        self.meet(count).await?;
        let _turn = self.writing.lock().await;
        let leased = self.inner.lease(endpoint, most, period).await;
        self.take_time().await;
        leased
    }

    fn extends_beside_handlers(&self) -> bool {
        !self.troubles.lock().unwrap_or_else(PoisonError::into_inner).writes_alone
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        self.meet(|troubles| troubles.extend).await?;
        self.inner.extend(leases, period).await
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        self.meet(|troubles| troubles.settle).await?;
        let refuses = self.troubles.lock().unwrap_or_else(PoisonError::into_inner).refuses;
        if settlements.iter().any(|settlement| Some(settlement.lease.id) == refuses) {
            return Err("the database refuses a row".into());
        }
        let _turn = self.writing.lock().await;
        self.inner.settle(settlements).await
    }

    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError> {
        self.take_time().await;
        self.inner.next_due(endpoint).await
    }

    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        self.meet(|troubles| troubles.is_held).await?;
        let is_held = self.inner.is_held(endpoint, turn).await?;
        let is_last = is_held && self.troubles.lock().unwrap_or_else(PoisonError::into_inner).is_last_question();
        if is_last {
            self.inner.discard(&DeliveryFilter::default()).await?;
        }
        Ok(is_held)
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
        self.inner.replay(filter).await
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.inner.hasten(filter).await
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.inner.discard(filter).await
    }
}
