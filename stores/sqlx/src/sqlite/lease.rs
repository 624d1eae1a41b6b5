use std::sync::Arc;
use std::time::Duration;

use diator::BoxError;
use diator::outbox::{Leased, LeasedPartition, ParkedKey, RelayId};
use sqlx::{Row, Sqlite, SqliteConnection};

use super::turn::{commit, execute, turn};
use super::{NOW, millis};
use crate::store::{MESSAGE, Prefix, Shared, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    look: Arc<str>,
    promote: Arc<str>,
    forget: Arc<str>,
    lease: Arc<str>,
    parked: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        let due = "SELECT seq FROM {p}schedule WHERE due <= ?1 ORDER BY due, seq LIMIT 1000";
        let free = format!(
            "SELECT l.partition FROM {{p}}outbox_lease l WHERE l.partition >= 0 AND l.until < {NOW} AND EXISTS (
                SELECT 1 FROM {{p}}outbox o WHERE o.partition = l.partition AND o.status = 0
                AND NOT EXISTS (SELECT 1 FROM {{p}}dead_letter d WHERE d.parks_key AND d.key = o.key AND d.topic IS o.topic)
            )"
        );
        Self {
            look: prefix.fill(&format!(
                "SELECT EXISTS ({free}), {NOW} AS now, EXISTS (SELECT 1 FROM {{p}}schedule WHERE due <= {NOW})"
            )),
            promote: prefix.fill(&format!(
                "INSERT INTO {{p}}outbox (created_at, partition, {MESSAGE}) SELECT due, partition, {MESSAGE} FROM {{p}}schedule
                WHERE seq IN ({due}) ORDER BY due, seq"
            )),
            forget: prefix.fill(&format!("DELETE FROM {{p}}schedule WHERE seq IN ({due})")),
            lease: prefix.fill(&format!(
                "UPDATE {{p}}outbox_lease SET owner = ?1, epoch = epoch + 1, leased_at = {NOW}, until = {NOW} + ?3
                WHERE partition IN ({free} ORDER BY l.leased_at, random() LIMIT ?2) RETURNING partition, epoch"
            )),
            parked: prefix.fill("SELECT DISTINCT topic, key FROM {p}dead_letter
                WHERE parks_key AND key IS NOT NULL AND partition IN (SELECT value FROM json_each(?1))"),
        }
    }
}

pub(super) async fn lease(
    shared: &Shared<Sqlite>,
    relay: RelayId,
    most: u16,
    period: Duration,
) -> Result<Leased, BoxError> {
    let texts = &shared.sql.lease;
    let mut leased = Leased::default();
    let mut connection = shared.pool.acquire().await?;
    // A read needs no lock.
    let look = sqlx::query(sql(&texts.look)).fetch_one(&mut *connection).await?;
    let (free, now, due): (bool, i64, bool) = (look.try_get(0)?, look.try_get(1)?, look.try_get(2)?);
    if !free && !due {
        return Ok(leased);
    }
    drop(connection);
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    if due {
        let promoted = sqlx::query(sql(&texts.promote)).bind(now).execute(&mut *connection).await?;
        sqlx::query(sql(&texts.forget)).bind(now).execute(&mut *connection).await?;
        leased.promoted = promoted.rows_affected() > 0;
    }
    let query = sqlx::query(sql(&texts.lease)).bind(relay.0.to_string()).bind(i64::from(most)).bind(millis(period));
    for row in query.fetch_all(&mut *connection).await? {
        leased.partitions.push(LeasedPartition { partition: row.try_get(0)?, epoch: row.try_get(1)? });
    }
    leased.parked = parked(texts, &leased.partitions, &mut connection).await?;
    commit(&turn, connection).await?;
    Ok(leased)
}

async fn parked(
    texts: &Sql,
    leased: &[LeasedPartition],
    connection: &mut SqliteConnection,
) -> Result<Vec<ParkedKey>, BoxError> {
    let partitions: Vec<_> = leased.iter().map(|lease| lease.partition).collect();
    let query = sqlx::query(sql(&texts.parked)).bind(serde_json::to_string(&partitions)?);
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok(ParkedKey { topic: row.try_get(0)?, key: row.try_get(1)? })).collect()
}

/// A new epoch ends what the owner may still have under way.
pub(super) const RELEASE: &str = "UPDATE {p}outbox_lease SET owner = NULL, epoch = epoch + 1, until = 0
WHERE (partition, epoch) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";

pub(super) async fn release(shared: &Shared<Sqlite>, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
    let leases: Vec<_> = partitions.iter().map(|lease| (lease.partition, lease.epoch)).collect();
    let query = sqlx::query(sql(&shared.sql.release)).bind(serde_json::to_string(&leases)?);
    execute(shared, query).await?;
    Ok(())
}
