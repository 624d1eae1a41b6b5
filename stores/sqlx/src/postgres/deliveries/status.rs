use diator::BoxError;
use diator::deliveries::DeliveryStatus;
use sqlx::{Postgres, Row};

use crate::postgres::row::unsigned;
use crate::store::{Shared, sql};

/// A dead letter parks its key if it is the first of it.
pub(super) const STATUS: &str = "
SELECT d.endpoint,
    count(*) FILTER (WHERE d.dead_at IS NULL),
    count(*) FILTER (WHERE d.dead_at IS NULL AND parked.queue IS NOT NULL),
    count(*) FILTER (WHERE d.dead_at IS NOT NULL),
    extract(epoch FROM clock_timestamp() - min(d.due) FILTER (
        WHERE d.dead_at IS NULL AND d.is_first AND d.due <= statement_timestamp() AND d.due > '-infinity'
    ))::double precision
FROM {p}delivery d LEFT JOIN (
    SELECT queue FROM {p}delivery WHERE dead_at IS NOT NULL AND is_first AND queue IS NOT NULL
) AS parked ON parked.queue = d.queue
GROUP BY d.endpoint ORDER BY d.endpoint";

pub(super) async fn status(shared: &Shared<Postgres>) -> Result<Vec<DeliveryStatus>, BoxError> {
    let rows = sqlx::query(sql(&shared.sql.deliveries.status)).fetch_all(&shared.pool).await?;
    let decode = |row| {
        let mut status = DeliveryStatus::default();
        status.endpoint = Row::try_get(row, 0)?;
        status.waiting = unsigned(row, 1)?;
        status.parked = unsigned(row, 2)?;
        status.dead = unsigned(row, 3)?;
        status.overdue_seconds = row.try_get::<Option<f64>, _>(4)?.map(|seconds| seconds.max(0.0));
        Ok(status)
    };
    rows.iter().map(decode).collect()
}
