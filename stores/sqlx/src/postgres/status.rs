use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diator::BoxError;
use diator::outbox::OutboxStatus;
use sqlx::{Postgres, Row};

use super::row::unsigned;
use crate::store::{Shared, micros, sql};

/// Looks at the first row of each partition that is not parked, and at the schedule's first.
pub(super) const OLDEST: &str = "
SELECT extract(epoch FROM clock_timestamp() - min(waits.since))::double precision FROM (
    SELECT first.created_at AS since FROM generate_series(0, 63) AS p (partition) CROSS JOIN LATERAL (
        SELECT o.created_at FROM {p}outbox o WHERE o.partition BETWEEN p.partition AND p.partition AND o.status = 0
        AND (o.key IS NULL OR (o.key, coalesce('+' || o.topic, '')) NOT IN (
            SELECT d.key, coalesce('+' || d.topic, '') FROM {p}dead_letter d WHERE d.parks_key AND d.key IS NOT NULL
        )) ORDER BY o.partition, o.seq LIMIT 1
    ) AS first
    UNION ALL SELECT min(due) FROM {p}schedule WHERE due <= statement_timestamp()
) AS waits";

pub(super) async fn oldest(shared: &Shared<Postgres>) -> Result<Option<Duration>, BoxError> {
    let row = sqlx::query(sql(&shared.sql.oldest)).fetch_one(&shared.pool).await?;
    let seconds: Option<f64> = row.try_get(0)?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

pub(super) const STATUS: &str = "
SELECT
    (SELECT count(*) FROM {p}outbox WHERE status = 0),
    (SELECT count(*) FROM {p}outbox o WHERE o.status = 0 AND o.key IS NOT NULL AND (o.key, coalesce('+' || o.topic, '')) IN (
        SELECT d.key, coalesce('+' || d.topic, '') FROM {p}dead_letter d WHERE d.parks_key AND d.key IS NOT NULL
    )),
    (SELECT count(*) FROM {p}schedule),
    (SELECT count(*) FROM {p}outbox WHERE status = 1),
    (SELECT count(*) FROM {p}dead_letter)";

pub(super) async fn status(shared: &Shared<Postgres>) -> Result<OutboxStatus, BoxError> {
    let row = sqlx::query(sql(&shared.sql.status)).fetch_one(&shared.pool).await?;
    let mut status = OutboxStatus::default();
    status.pending = unsigned(&row, 0)?;
    status.parked = unsigned(&row, 1)?;
    status.scheduled = unsigned(&row, 2)?;
    status.sent = unsigned(&row, 3)?;
    status.dead = unsigned(&row, 4)?;
    status.oldest_seconds = oldest(shared).await?.map(|age| age.as_secs_f64());
    Ok(status)
}

/// No partition gets another owner meanwhile: one that comes after it would read some of its rows before others that are replayed too.
pub(super) const REPLAY: &str = "
WITH now AS MATERIALIZED (
    SELECT partition, epoch FROM {p}outbox_lease WHERE partition >= 0 ORDER BY partition FOR SHARE
)
UPDATE {p}outbox o SET status = 0, sent_at = NULL, attempts = 0, created_at = clock_timestamp(), from_epoch = now.epoch + 1
FROM now WHERE o.partition = now.partition AND o.status = 1
AND o.sent_at >= to_timestamp(0) + $1 * interval '1 microsecond' AND ($2::text IS NULL OR o.topic = $2)";

pub(super) async fn replay(shared: &Shared<Postgres>, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
    // Nothing was sent before 1970.
    let since = micros(since.duration_since(UNIX_EPOCH).unwrap_or_default());
    let replayed = sqlx::query(sql(&shared.sql.replay)).bind(since).bind(topic).execute(&shared.pool).await?;
    super::wake::committed(shared);
    Ok(replayed.rows_affected())
}
