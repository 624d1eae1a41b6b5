use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diator::BoxError;
use diator::outbox::OutboxStatus;
use sqlx::{Row, Sqlite};

use super::turn::execute;
use super::{NOW, millis};
use crate::store::{Shared, sql};

/// Looks at the first row of each partition that is not parked, and at the schedule's first.
pub(super) fn oldest_text() -> String {
    format!(
        "SELECT {NOW} - min(since) FROM (
    SELECT (
        SELECT o.created_at FROM {{p}}outbox o WHERE o.partition = l.partition AND o.status = 0
        AND NOT EXISTS (SELECT 1 FROM {{p}}dead_letter d WHERE d.parks_key AND d.key = o.key AND d.topic IS o.topic)
        ORDER BY o.seq LIMIT 1
    ) AS since FROM {{p}}outbox_lease l WHERE l.partition >= 0
    UNION ALL SELECT min(due) FROM {{p}}schedule WHERE due <= {NOW}
)"
    )
}

pub(super) async fn oldest(shared: &Shared<Sqlite>) -> Result<Option<Duration>, BoxError> {
    let row = sqlx::query(sql(&shared.sql.oldest)).fetch_one(&shared.pool).await?;
    let age: Option<i64> = row.try_get(0)?;
    Ok(age.map(|age| Duration::from_millis(age.try_into().unwrap_or_default())))
}

pub(super) const STATUS: &str = "
SELECT
    (SELECT count(*) FROM {p}outbox WHERE status = 0),
    (SELECT count(*) FROM {p}outbox o WHERE o.status = 0 AND EXISTS (
        SELECT 1 FROM {p}dead_letter d WHERE d.parks_key AND d.key = o.key AND d.topic IS o.topic
    )),
    (SELECT count(*) FROM {p}schedule),
    (SELECT count(*) FROM {p}outbox WHERE status = 1),
    (SELECT count(*) FROM {p}dead_letter)";

pub(super) async fn status(shared: &Shared<Sqlite>) -> Result<OutboxStatus, BoxError> {
    let row = sqlx::query(sql(&shared.sql.status)).fetch_one(&shared.pool).await?;
    let mut status = OutboxStatus::default();
    let count = |index| Ok::<u64, BoxError>(row.try_get::<i64, _>(index)?.try_into()?);
    status.pending = count(0)?;
    status.parked = count(1)?;
    status.scheduled = count(2)?;
    status.sent = count(3)?;
    status.dead = count(4)?;
    status.oldest_seconds = oldest(shared).await?.map(|age| age.as_secs_f64());
    Ok(status)
}

pub(super) fn replay_text() -> String {
    format!(
        "UPDATE {{p}}outbox SET status = 0, sent_at = NULL, attempts = 0, created_at = {NOW},
from_epoch = (SELECT l.epoch + 1 FROM {{p}}outbox_lease l WHERE l.partition = {{p}}outbox.partition)
WHERE status = 1 AND sent_at >= ?1 AND (?2 IS NULL OR topic = ?2)"
    )
}

pub(super) async fn replay(shared: &Shared<Sqlite>, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
    // Nothing was sent before 1970.
    let since = millis(since.duration_since(UNIX_EPOCH).unwrap_or_default());
    let replayed = execute(shared, sqlx::query(sql(&shared.sql.replay)).bind(since).bind(topic)).await?;
    super::wake::committed(shared);
    Ok(replayed)
}
