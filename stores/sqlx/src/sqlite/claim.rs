use std::future::poll_fn;

use diator::BoxError;
use diator::outbox::{Claim, Cursor, OutboxRow, Place};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite};

use super::row::message;
use crate::store::{MESSAGE, Shared, readable, sql};

/// Reads one partition: a join could not stop in each of them at the limit.
///
/// It must not be part of the statement that leases: keys are parked here too, because the owner before can have parked one
/// while the lease was taken.
pub(super) fn claim() -> String {
    format!(
        "SELECT o.seq, o.attempts, {} FROM {{p}}outbox o
WHERE o.partition = ?1 AND o.status = 0 AND o.seq > ?3 AND o.from_epoch <= ?2
AND EXISTS (SELECT 1 FROM {{p}}outbox_lease l WHERE l.partition = ?1 AND l.epoch = ?2)
AND NOT EXISTS (
    SELECT 1 FROM json_each(?5) r
    WHERE r.value ->> 0 = o.message_type AND r.value ->> 1 = o.name AND r.value ->> 2 IS o.topic
) AND NOT EXISTS (
    SELECT 1 FROM json_each(?6) k WHERE k.value ->> 0 IS o.topic AND k.value ->> 1 = o.key
) AND NOT EXISTS (
    SELECT 1 FROM {{p}}dead_letter d WHERE d.parks_key AND d.key = o.key AND d.topic IS o.topic
) ORDER BY o.seq LIMIT ?4",
        MESSAGE.split(", ").map(|column| format!("o.{column}")).collect::<Vec<_>>().join(", ")
    )
}

pub(super) async fn claim_rows(shared: &Shared<Sqlite>, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
    let Claim { cursors, limit, max_bytes, skip, .. } = claim;
    let routes: Vec<_> =
        skip.routes.iter().map(|route| (route.message_type.as_str(), &route.name, &route.topic)).collect();
    let keys: Vec<_> = skip.keys.iter().map(|parked| (&parked.topic, &parked.key)).collect();
    let (routes, keys) = (serde_json::to_string(&routes)?, serde_json::to_string(&keys)?);
    let mut connection = shared.pool.acquire().await?;
    let mut claimed = Vec::new();
    let mut cursors = cursors.to_vec();
    cursors.sort_by_key(|cursor| cursor.lease.partition);
    for Cursor { lease, after } in cursors {
        let query = sqlx::query(sql(&shared.sql.claim)).bind(lease.partition).bind(lease.epoch);
        let query = query.bind(after.unwrap_or(i64::MIN)).bind(limit).bind(&routes).bind(&keys);
        let (mut rows, mut bytes) = (query.fetch(&mut *connection), 0);
        while bytes < max_bytes.max(1)
            && let Some(row) = poll_fn(|cx| rows.as_mut().poll_next(cx)).await.transpose()?
        {
            let place = Place { partition: lease.partition, seq: row.try_get(0)? };
            bytes += row.try_get::<&[u8], _>("body").map_or(0, |body| body.len() as u64);
            claimed.push((place, decode(place, &row)));
        }
    }
    Ok(readable(claimed))
}

fn decode(place: Place, row: &SqliteRow) -> Result<OutboxRow, BoxError> {
    Ok(OutboxRow { place, attempts: row.try_get(1)?, message: message(row, 2)? })
}
