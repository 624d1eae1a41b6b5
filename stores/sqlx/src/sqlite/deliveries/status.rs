use diator::BoxError;
use diator::deliveries::DeliveryStatus;
use sqlx::{Row, Sqlite};

use crate::sqlite::NOW;
use crate::store::{Shared, sql};

/// A dead letter parks its key if it is the first of it.
pub(super) fn status_text() -> String {
    format!(
        "SELECT d.endpoint,
            count(*) FILTER (WHERE d.dead_at IS NULL),
            count(*) FILTER (WHERE d.dead_at IS NULL AND parked.key IS NOT NULL),
            count(*) FILTER (WHERE d.dead_at IS NOT NULL),
            {NOW} - min(d.due) FILTER (WHERE d.dead_at IS NULL AND d.is_first AND d.due <= {NOW})
        FROM {{p}}delivery d LEFT JOIN (
            SELECT endpoint, topic, key FROM {{p}}delivery WHERE dead_at IS NOT NULL AND is_first AND holds_key
        ) AS parked ON d.holds_key AND parked.endpoint = d.endpoint AND parked.topic = d.topic AND parked.key = d.key
        GROUP BY d.endpoint ORDER BY d.endpoint"
    )
}

pub(super) async fn status(shared: &Shared<Sqlite>) -> Result<Vec<DeliveryStatus>, BoxError> {
    let rows = sqlx::query(sql(&shared.sql.deliveries.status)).fetch_all(&shared.pool).await?;
    let decode = |row: &sqlx::sqlite::SqliteRow| {
        let count = |index| Ok::<u64, BoxError>(row.try_get::<i64, _>(index)?.try_into()?);
        let mut status = DeliveryStatus::default();
        status.endpoint = row.try_get(0)?;
        status.waiting = count(1)?;
        status.parked = count(2)?;
        status.dead = count(3)?;
        status.overdue_seconds = row.try_get::<Option<i64>, _>(4)?.map(|millis| super::row::time(millis).as_secs_f64());
        Ok(status)
    };
    rows.iter().map(decode).collect()
}
