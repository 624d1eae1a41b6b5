use diator::BoxError;
use diator::outbox::{Claim, OutboxRow, Place, Skip};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row};

use super::row::{message, unsigned};
use super::stage::partition;
use crate::store::{MESSAGE, Shared, readable, sql};

/// Each partition is read by itself, in the order of its index, and no further than its limit.
///
/// It must not be part of the statement that leases: what the owner before has settled would be pending for it.
/// The length of a topic comes first, so that no two pairs of topic and key give the same text. Keys are parked here too, because
/// the owner before can have parked one while the lease was taken.
///
/// Rows are compared in the order of the index of what is pending, which no other index gives: with statistics of another time
/// the database would read the whole table.
pub(super) fn claim() -> String {
    format!(
        "SELECT c.partition::bigint, o.seq, o.attempts::bigint, {}
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS c (partition, epoch, after)
JOIN {{p}}outbox_lease l ON l.partition = c.partition AND l.epoch = c.epoch
CROSS JOIN LATERAL (
    SELECT o.*, sum(octet_length(o.body)) OVER (ORDER BY o.partition, o.seq ROWS UNBOUNDED PRECEDING) - octet_length(o.body) AS bytes_before
    FROM {{p}}outbox o
    WHERE (o.partition, o.seq) > (c.partition, c.after)
    AND (o.partition, o.seq) <= (c.partition, coalesce($7::bigint, 9223372036854775807)) AND o.status = 0 AND o.from_epoch <= c.epoch
    AND (cardinality($5::text[]) = 0 OR o.message_type || E'\\n' || o.name || E'\\n' || coalesce('+' || o.topic, '') <> ALL ($5))
    AND (o.key IS NULL OR (
        (cardinality($6::text[]) = 0 OR coalesce(length(o.topic), -1) || ':' || coalesce(o.topic, '') || o.key <> ALL ($6))
        AND (o.key, coalesce('+' || o.topic, '')) NOT IN (
            SELECT d.key, coalesce('+' || d.topic, '') FROM {{p}}dead_letter d WHERE d.parks_key AND d.key IS NOT NULL
        )
    ))
    ORDER BY o.partition, o.seq LIMIT $4
) o WHERE o.bytes_before < $8",
        MESSAGE.split(", ").map(|column| format!("o.{column}")).collect::<Vec<_>>().join(", ")
    )
}

pub(super) async fn claim_rows(shared: &Shared<Postgres>, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
    let Claim { cursors, limit, max_bytes, skip, horizon } = claim;
    let partitions: Vec<_> = cursors.iter().map(|cursor| partition(cursor.lease.partition)).collect();
    let epochs: Vec<_> = cursors.iter().map(|cursor| cursor.lease.epoch).collect();
    let after: Vec<_> = cursors.iter().map(|cursor| cursor.after.unwrap_or(i64::MIN)).collect();
    let query = sqlx::query(sql(&shared.sql.claim)).bind(partitions).bind(epochs).bind(after).bind(i64::from(limit));
    let horizon = horizon.map(str::parse::<i64>).transpose()?;
    let query = query
        .bind(routes(skip))
        .bind(keys(skip))
        .bind(horizon)
        .bind(i64::try_from(max_bytes.max(1)).unwrap_or(i64::MAX));
    let rows = query.fetch_all(&shared.pool).await?;
    let mut rows = rows.iter().map(|row| Ok((place(row)?, row))).collect::<Result<Vec<_>, BoxError>>()?;
    // No statement promises an order between its parts.
    rows.sort_by_key(|(place, _)| *place);
    Ok(readable(rows.into_iter().map(|(place, row)| (place, decode(place, row)))))
}

fn place(row: &PgRow) -> Result<Place, BoxError> {
    Ok(Place { partition: unsigned(row, 0)?.try_into()?, seq: row.try_get(1)? })
}

fn decode(place: Place, row: &PgRow) -> Result<OutboxRow, BoxError> {
    Ok(OutboxRow { place, attempts: unsigned(row, 2)?.try_into()?, message: message(row, 3)? })
}

fn routes(skip: &Skip) -> Vec<String> {
    let route = |route: &diator::outbox::SkippedRoute| {
        let topic = route.topic.as_ref().map(|topic| format!("+{topic}")).unwrap_or_default();
        format!("{}\n{}\n{topic}", route.message_type, route.name)
    };
    skip.routes.iter().map(route).collect()
}

fn keys(skip: &Skip) -> Vec<String> {
    let key = |parked: &diator::outbox::ParkedKey| match &parked.topic {
        Some(topic) => format!("{}:{topic}{}", topic.chars().count(), parked.key),
        None => format!("-1:{}", parked.key),
    };
    skip.keys.iter().map(key).collect()
}
