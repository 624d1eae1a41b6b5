//! Negative controls: what an outbox must not do, each of which the judge must notice. PostgreSQL alone has them.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use diator::broker::{MessageBroker, MessageType, OutboundMessage};
use diator::container::{DependencyKey, Scope};
use diator::outbox::{
    Claim, Cursor, Leased, LeasedPartition, Outbox, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement,
    StagedMessage,
};
use diator::{BoxError, Meta, async_trait};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use tokio::time::sleep;

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It publishes after the commit, without an outbox.
    NoOutbox,
    /// It publishes before the commit.
    PublishesEarly,
    /// It deletes rows before it publishes them.
    DeletesEarly,
    /// It keeps a number up to which all is sent, instead of a status for each row.
    KeepsCursor,
    /// Several relays take whatever rows are free, instead of partitions.
    SkipsLocked,
    /// It works, settles and releases as though its leases lasted for ever.
    IgnoresFence,
}

impl FromStr for Wrong {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        match text {
            "no-outbox" => Ok(Self::NoOutbox),
            "publishes-early" => Ok(Self::PublishesEarly),
            "deletes-early" => Ok(Self::DeletesEarly),
            "keeps-cursor" => Ok(Self::KeepsCursor),
            "skips-locked" => Ok(Self::SkipsLocked),
            "ignores-fence" => Ok(Self::IgnoresFence),
            _ => Err("there is no such wrong".into()),
        }
    }
}

/// An outbox that publishes as soon as it is told of messages.
pub(crate) struct EarlyOutbox<O> {
    pub(crate) inner: O,
    pub(crate) broker: Arc<dyn MessageBroker>,
}

#[async_trait]
impl<O: Outbox> Outbox for EarlyOutbox<O> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        for staged in messages {
            self.broker.publish(&staged.message).await?;
        }
        self.inner.stage(scope, meta, messages).await
    }

    fn committed(&self) {
        self.inner.committed();
    }
}

/// A store that deletes rows when it gives them out, or does not compare epochs.
pub(crate) struct WrongStore<S> {
    pub(crate) inner: S,
    pub(crate) pool: PgPool,
    pub(crate) wrong: Wrong,
}

impl<S> WrongStore<S> {
    /// The epoch that the partition has now, whoever owns it.
    async fn now(&self, lease: LeasedPartition) -> Result<LeasedPartition, BoxError> {
        if self.wrong != Wrong::IgnoresFence {
            return Ok(lease);
        }
        let epoch = sqlx::query_scalar("SELECT epoch FROM diator_outbox_lease WHERE partition = $1");
        let epoch = epoch.bind(lease.partition.cast_signed()).fetch_one(&self.pool).await?;
        Ok(LeasedPartition { epoch, ..lease })
    }
}

#[async_trait]
impl<S: OutboxStore> OutboxStore for WrongStore<S> {
    async fn check(&self) -> Result<(), BoxError> {
        self.inner.check().await
    }

    async fn lease(&self, relay: RelayId, partitions: u16, period: Duration) -> Result<Leased, BoxError> {
        self.inner.lease(relay, partitions, period).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
        let mut cursors = Vec::new();
        for cursor in claim.cursors {
            cursors.push(Cursor { lease: self.now(cursor.lease).await?, ..*cursor });
        }
        let rows = self.inner.claim(Claim { cursors: &cursors, ..claim }).await?;
        if self.wrong == Wrong::DeletesEarly {
            let numbers: Vec<_> = rows.iter().map(|row| row.place.seq).collect();
            let delete = sqlx::query("DELETE FROM diator_outbox WHERE seq = ANY ($1)").bind(numbers);
            delete.execute(&self.pool).await?;
        }
        Ok(rows)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError> {
        self.inner.settle(settlements).await
    }

    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
        if self.wrong != Wrong::IgnoresFence {
            return self.inner.release(partitions).await;
        }
        // It is on its way, and arrives however late.
        let numbers: Vec<_> = partitions.iter().map(|lease| lease.partition.cast_signed()).collect();
        let pool = self.pool.clone();
        let released = tokio::spawn(async move {
            let sql = "UPDATE diator_outbox_lease SET until = '-infinity' WHERE partition = ANY ($1)";
            sqlx::query(sql).bind(numbers).execute(&pool).await
        });
        released.await??;
        Ok(())
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        self.inner.oldest().await
    }

    async fn status(&self) -> Result<OutboxStatus, BoxError> {
        self.inner.status().await
    }

    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
        self.inner.replay(since, topic).await
    }

    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError> {
        self.inner.prune(relay, retention, limit).await
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }
}

fn message(row: &PgRow) -> Result<OutboundMessage, BoxError> {
    let (id, key, body): (_, String, Vec<u8>) = (row.try_get("id")?, row.try_get("key")?, row.try_get("body")?);
    Ok(OutboundMessage::new(id, MessageType::Notification, "OrderPlaced", body).with_topic("orders").with_key(key))
}

/// A relay that reads on from the last row that it has seen.
pub(crate) async fn relay_by_cursor(
    pool: &PgPool,
    broker: &dyn MessageBroker,
    stop: impl Future<Output = ()>,
) -> Result<(), BoxError> {
    let mut cursor = 0_i64;
    let relay = async {
        loop {
            let rows = sqlx::query("SELECT * FROM diator_outbox WHERE seq > $1 ORDER BY seq LIMIT 100").bind(cursor);
            for row in rows.fetch_all(pool).await? {
                broker.publish(&message(&row)?).await?;
                cursor = row.try_get("seq")?;
            }
        }
    };
    let failed: Result<(), BoxError> = tokio::select! { failed = relay => failed, () = stop => Ok(()) };
    // What a cursor says, in words of the status.
    sqlx::query("UPDATE diator_outbox SET status = 1 WHERE seq <= $1").bind(cursor).execute(pool).await?;
    failed
}

/// Four relays that take rows which no other one has at the moment.
pub(crate) async fn relay_what_is_free(
    pool: &PgPool,
    broker: &dyn MessageBroker,
    stop: impl Future<Output = ()>,
) -> Result<(), BoxError> {
    let relay = |number: u64| async move {
        loop {
            let mut transaction = pool.begin().await?;
            let sql = "SELECT * FROM diator_outbox WHERE status = 0 ORDER BY seq LIMIT 20 FOR UPDATE SKIP LOCKED";
            let rows = sqlx::query(sql).fetch_all(&mut *transaction).await?;
            sleep(Duration::from_millis(number * 7 + 1)).await;
            for row in &rows {
                broker.publish(&message(row)?).await?;
                let sent = sqlx::query("UPDATE diator_outbox SET status = 1 WHERE seq = $1");
                sent.bind(row.try_get::<i64, _>("seq")?).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
    };
    tokio::select! {
        failed = relay(0) => failed,
        failed = relay(1) => failed,
        failed = relay(2) => failed,
        failed = relay(3) => failed,
        () = stop => Ok(()),
    }
}
