//! Negative controls: what a consuming service must not do, each of which the judge must notice. PostgreSQL alone has them.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use diator::broker::{Guarantees, MessageBroker, OutboundMessage, PublishError, Receipt};
use diator::container::Scope;
use diator::deliveries::{
    DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryStatus, DeliveryStore, KeptDelivery, LeasedDelivery,
    NewDelivery, NewState,
};
use diator::inbox::{Entry, Inbox, Seen, Turn};
use diator::subscription::Settled;
use diator::{BoxError, Meta, async_trait};
use sqlx::PgPool;

use crate::fail_point::FailPoint;

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It has no inbox.
    NoInbox,
    /// It notes a message in a transaction of its own.
    InboxOutside,
    /// It publishes events after the commit, without an outbox.
    NoOutbox,
    /// It acknowledges what comes, and then handles it.
    AcksEarly,
    /// It acknowledges a message that has failed for good, and then keeps the dead letter.
    KeepsLate,
    /// A dead letter does not keep the later messages of its key waiting.
    ParksNothing,
    /// A replay has the generation of the first delivery.
    SameGeneration,
    /// The inbox forgets sooner than it says.
    ForgetsEarly,
}

impl FromStr for Wrong {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        Ok(match text {
            "no-inbox" => Self::NoInbox,
            "inbox-outside" => Self::InboxOutside,
            "no-outbox" => Self::NoOutbox,
            "acks-early" => Self::AcksEarly,
            "keeps-late" => Self::KeepsLate,
            "parks-nothing" => Self::ParksNothing,
            "same-generation" => Self::SameGeneration,
            "forgets-early" => Self::ForgetsEarly,
            _ => return Err("there is no such wrong".into()),
        })
    }
}

/// An inbox that notes messages outside the transaction, or forgets sooner than it says; without a wrong it is the inner one.
pub(crate) struct WrongInbox<I> {
    pub(crate) inner: I,
    pub(crate) pool: Option<PgPool>,
    pub(crate) wrong: Option<Wrong>,
}

impl<I: Inbox> WrongInbox<I> {
    pub(crate) fn retention(&self) -> Duration {
        if self.wrong == Some(Wrong::ForgetsEarly) {
            Duration::from_secs(7 * 24 * 3_600)
        } else {
            self.inner.retention()
        }
    }

    pub(crate) async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        let (Some(Wrong::InboxOutside), Some(pool)) = (self.wrong, &self.pool) else {
            return self.inner.enter(scope, meta, entry).await;
        };
        let note = sqlx::query("INSERT INTO noted VALUES ($1, $2) ON CONFLICT DO NOTHING");
        let noted = note.bind(entry.handler).bind(entry.message.to_string()).execute(pool).await?;
        Ok(if noted.rows_affected() == 1 { Seen::First } else { Seen::Before })
    }
}

/// Publishes to the table of the outbox, outside any transaction.
pub(crate) struct Direct {
    pub(crate) pool: PgPool,
    pub(crate) fail: Option<FailPoint>,
}

#[async_trait]
impl MessageBroker for Direct {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        self.fail.iter().for_each(FailPoint::pass);
        let sql = "INSERT INTO diator_outbox (partition, id, message_type, name, topic, content_type, headers, body) \
                   VALUES (0, $1, 'notification_event', $2, 'billing', 'application/json', '{}', $3)";
        let insert = sqlx::query(sql).bind(message.id).bind(&*message.name).bind(&*message.body);
        let inserted = insert.execute(&self.pool).await;
        inserted.map_err(|error| PublishError::transient("the table cannot be written").with_source(error))?;
        Ok(Receipt::Sent)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none()
    }
}

/// A store that keeps dead letters late, parks no key, or forgets the generation; without a wrong it is the inner one.
pub(crate) struct WrongStore {
    pub(crate) inner: Arc<dyn DeliveryStore>,
    pub(crate) wrong: Option<Wrong>,
}

#[async_trait]
impl DeliveryStore for WrongStore {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        let is_dead = deliveries.iter().any(|delivery| matches!(delivery.state, NewState::Dead(_)));
        if self.wrong == Some(Wrong::KeepsLate) && is_dead {
            let (store, deliveries) = (self.inner.clone(), deliveries.to_vec());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                store.put(&deliveries).await
            });
            return Ok(());
        }
        if self.wrong == Some(Wrong::ParksNothing) {
            let mut deliveries = deliveries.to_vec();
            deliveries.iter_mut().for_each(|delivery| delivery.holds_key = false);
            return self.inner.put(&deliveries).await;
        }
        self.inner.put(deliveries).await
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let mut leased = self.inner.lease(endpoint, most, period).await?;
        if self.wrong == Some(Wrong::SameGeneration) {
            leased.iter_mut().for_each(|leased| leased.delivery.generation = 0);
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
        self.inner.settle(settlements).await
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
        self.inner.replay(filter).await
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.inner.hasten(filter).await
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        self.inner.discard(filter).await
    }
}
