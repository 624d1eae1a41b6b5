use std::sync::Arc;
use std::time::Duration;

use diator::BoxError;
use diator::deliveries::{DeliveryLease, LeasedDelivery};
use diator::subscription::Settled;
use sqlx::{Postgres, Row};

use super::row::{delivery, micros_of};
use crate::store::{DELIVERY, Prefix, Shared, micros, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    lease: Arc<str>,
    extend: Arc<str>,
    next_due: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        let of_row = DELIVERY.split(", ").map(|column| format!("d.{column}")).collect::<Vec<_>>().join(", ");
        // A lease that has ended by itself is due, as its row is.
        let lease = format!(
            "
WITH due AS MATERIALIZED (
    SELECT number, due FROM {{p}}delivery
    WHERE endpoint = $1 AND dead_at IS NULL AND is_first AND due <= statement_timestamp()
    ORDER BY endpoint, due, number LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE {{p}}delivery d SET lost = d.lost + d.leased::integer, leased = true, lease = d.lease + 1,
    due = clock_timestamp() + $3 * interval '1 microsecond'
FROM due WHERE d.number = due.number
RETURNING {}, d.number, d.lease, d.lost, d.queue IS NOT NULL, {of_row}",
            micros_of("due.due")
        );
        let extend = "
UPDATE {p}delivery d SET due = clock_timestamp() + $3 * interval '1 microsecond'
FROM unnest($1::bigint[], $2::bigint[]) AS l (number, lease)
WHERE d.number = l.number AND d.lease = l.lease AND d.leased AND d.due > clock_timestamp()
RETURNING d.number, d.lease";
        // In the order of the index, as above: a database that takes the table for empty would read all of an endpoint for `min(due)`.
        let next_due = format!(
            "SELECT {} - {} FROM {{p}}delivery WHERE endpoint = $1 AND dead_at IS NULL AND is_first ORDER BY endpoint, due, number LIMIT 1",
            micros_of("due"),
            micros_of("clock_timestamp()")
        );
        Self { lease: prefix.fill(&lease), extend: prefix.fill(extend), next_due: prefix.fill(&next_due) }
    }
}

pub(super) async fn lease(
    shared: &Shared<Postgres>,
    endpoint: &str,
    most: u32,
    period: Duration,
) -> Result<Vec<LeasedDelivery>, BoxError> {
    let query = sqlx::query(sql(&shared.sql.deliveries.lease.lease)).bind(endpoint);
    let rows = query.bind(i64::from(most)).bind(micros(period)).fetch_all(&shared.pool).await?;
    let mut leased = Vec::new();
    for row in rows {
        let (due, number): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let delivery = delivery(&row, number, row.try_get(4)?, 5);
        if let Some(delivery) = delivery.leased(row.try_get(2)?, row.try_get(3)?) {
            leased.push((due, number, delivery));
        }
    }
    // No statement promises an order of what it returns.
    leased.sort_by_key(|(due, number, _)| (*due, *number));
    Ok(leased.into_iter().map(|(.., delivery)| delivery).collect())
}

pub(super) async fn extend(
    shared: &Shared<Postgres>,
    leases: &[DeliveryLease],
    period: Duration,
) -> Result<Vec<Settled>, BoxError> {
    let (numbers, counts): (Vec<_>, Vec<_>) = leases.iter().map(|lease| (lease.id, lease.lease)).unzip();
    let query = sqlx::query(sql(&shared.sql.deliveries.lease.extend)).bind(numbers).bind(counts);
    let rows = query.bind(micros(period)).fetch_all(&shared.pool).await?;
    let extended = rows.iter().map(|row| Ok(DeliveryLease { id: row.try_get(0)?, lease: row.try_get(1)? }));
    let extended: Vec<_> = extended.collect::<Result<_, BoxError>>()?;
    let answer = |lease| if extended.contains(lease) { Settled::Done } else { Settled::LockLost };
    Ok(leases.iter().map(answer).collect())
}

pub(super) async fn next_due(shared: &Shared<Postgres>, endpoint: &str) -> Result<Option<Duration>, BoxError> {
    let query = sqlx::query(sql(&shared.sql.deliveries.lease.next_due)).bind(endpoint);
    let row = query.fetch_optional(&shared.pool).await?;
    let micros: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(micros.map(|micros| Duration::from_micros(micros.try_into().unwrap_or_default())))
}
