use std::time::Duration;

use diator::BoxError;
use diator::outbox::{Leased, LeasedPartition, ParkedKey, RelayId};
use sqlx::{Postgres, Row};

use super::row::unsigned;
use super::stage::partition;
use crate::store::{Shared, micros, sql};

/// One statement for all that an idle relay asks. What was promoted cannot be leased by the same statement, which does not see it.
///
/// One relay promotes at a time: two would draw numbers in turns, and so mix up the order of what is due.
///
/// The horizon is the highest number that can be seen by now. A row that is missed by a later claim commits after that; one of the same
/// key that waited for its commit is numbered later still, and so is beyond the horizon.
///
/// A subquery with a limit is asked for each partition, instead of reading all that is pending. It asks for a range of one
/// partition, in an order that the index of what is pending has alone: with statistics of another time the database would
/// otherwise read the whole table, once for each partition.
pub(super) const LEASE: &str = "
WITH chosen AS MATERIALIZED (
    SELECT seq FROM {p}schedule
    WHERE due <= statement_timestamp() AND (SELECT pg_try_advisory_xact_lock(hashtextextended('{p}schedule', 0)))
    ORDER BY due, seq LIMIT 1000 FOR UPDATE SKIP LOCKED
), due AS (
    DELETE FROM {p}schedule WHERE seq IN (SELECT seq FROM chosen) RETURNING *
), promoted AS (
    INSERT INTO {p}outbox (partition, created_at, id, message_type, name, topic, key, correlation_id, causation_id, traceparent, content_type, headers, body)
    SELECT partition, due, id, message_type, name, topic, key, correlation_id, causation_id, traceparent, content_type, headers, body
    FROM due ORDER BY due, seq
    RETURNING 1
), free AS (
    SELECT l.partition FROM {p}outbox_lease l
    WHERE l.partition >= 0 AND l.until < clock_timestamp() AND (
        SELECT 1 FROM {p}outbox o WHERE o.partition BETWEEN l.partition AND l.partition AND o.status = 0
        AND (o.key IS NULL OR (o.key, coalesce('+' || o.topic, '')) NOT IN (
            SELECT d.key, coalesce('+' || d.topic, '') FROM {p}dead_letter d WHERE d.parks_key AND d.key IS NOT NULL
        )) ORDER BY o.partition, o.seq LIMIT 1
    ) IS NOT NULL
    ORDER BY l.leased_at, random() LIMIT $2 FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE {p}outbox_lease l
    SET owner = $1, epoch = l.epoch + 1, leased_at = clock_timestamp(), until = clock_timestamp() + $3 * interval '1 microsecond'
    FROM free WHERE l.partition = free.partition
    RETURNING l.partition, l.epoch
)
SELECT 0::bigint, partition::bigint, epoch, NULL, NULL FROM leased
UNION ALL SELECT 1, count(*), (SELECT coalesce(max(seq), 0) FROM {p}outbox), NULL, NULL FROM promoted
UNION ALL SELECT DISTINCT 2, NULL::bigint, NULL::bigint, d.topic, d.key FROM {p}dead_letter d
    JOIN leased ON leased.partition = d.partition WHERE d.parks_key AND d.key IS NOT NULL";

pub(super) async fn lease(
    shared: &Shared<Postgres>,
    relay: RelayId,
    most: u16,
    period: Duration,
) -> Result<Leased, BoxError> {
    let query = sqlx::query(sql(&shared.sql.lease)).bind(relay.0).bind(i64::from(most)).bind(micros(period));
    let mut leased = Leased::default();
    for row in query.fetch_all(&shared.pool).await? {
        match row.try_get::<i64, _>(0)? {
            0 => {
                let partition = unsigned(&row, 1)?.try_into()?;
                leased.partitions.push(LeasedPartition { partition, epoch: row.try_get(2)? });
            }
            1 => {
                leased.promoted = unsigned(&row, 1)? > 0;
                leased.horizon = Some(row.try_get::<i64, _>(2)?.to_string());
            }
            _ => leased.parked.push(ParkedKey { topic: row.try_get(3)?, key: row.try_get(4)? }),
        }
    }
    Ok(leased)
}

/// A new epoch ends what the owner may still have under way.
///
/// It does not wait for the disk: if a crash of the server loses it, the partitions are free when the lease is over. If another relay
/// leases them first, that commit also brings the release to the disk.
///
/// It locks leases in the order of their partitions. A replay, which locks all of them, does the same.
pub(super) const RELEASE: &str = "
WITH owned AS MATERIALIZED (
    SELECT l.partition FROM {p}outbox_lease l
    WHERE (l.partition, l.epoch) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))
    ORDER BY l.partition FOR NO KEY UPDATE
)
UPDATE {p}outbox_lease l SET owner = NULL, epoch = l.epoch + 1, until = '-infinity'
FROM owned WHERE l.partition = owned.partition AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";

pub(super) async fn release(shared: &Shared<Postgres>, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
    let (numbers, epochs): (Vec<_>, Vec<_>) =
        partitions.iter().map(|lease| (partition(lease.partition), lease.epoch)).unzip();
    sqlx::query(sql(&shared.sql.release)).bind(numbers).bind(epochs).execute(&shared.pool).await?;
    Ok(())
}
