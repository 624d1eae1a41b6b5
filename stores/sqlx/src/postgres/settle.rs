use std::collections::BTreeMap;

use diator::BoxError;
use diator::outbox::{Settlement, Verdict};
use sqlx::Postgres;

use super::stage::partition;
use crate::store::{MESSAGE, Shared, sql};

/// It does not wait for the disk: if a crash of the server loses it, the relay publishes the message again.
///
/// The setting is for this statement's own transaction alone. Of a row that was replayed, an owner from before says nothing.
pub(super) const SENT: &str = "
UPDATE {p}outbox o SET status = 1, sent_at = clock_timestamp()
WHERE seq = ANY ($1) AND status = 0 AND (from_epoch = 0 OR from_epoch <= (
    SELECT s.epoch FROM unnest($2::smallint[], $3::bigint[]) AS s (partition, epoch) WHERE s.partition = o.partition
)) AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";

/// Locks the leases that it relies on. `lease` skips locked ones, so no new owner can come in between.
pub(super) fn settle() -> String {
    // Each column by its name: a newer program may have added some.
    let of_row = MESSAGE.split(", ").map(|column| format!("o.{column}")).collect::<Vec<_>>().join(", ");
    format!(
        "
WITH fence AS MATERIALIZED (
    SELECT l.partition, l.epoch FROM {{p}}outbox_lease l
    WHERE (l.partition, l.epoch) IN (
        SELECT * FROM unnest($5::smallint[], $6::bigint[]) UNION ALL SELECT * FROM unnest($9::smallint[], $10::bigint[])
    ) ORDER BY l.partition FOR SHARE
), sent AS (
    UPDATE {{p}}outbox o SET status = 1, sent_at = clock_timestamp()
    WHERE seq = ANY ($1) AND status = 0 AND (from_epoch = 0 OR from_epoch <= (
        SELECT s.epoch FROM unnest($2::smallint[], $3::bigint[]) AS s (partition, epoch) WHERE s.partition = o.partition
    ))
), refused AS (
    UPDATE {{p}}outbox o SET attempts = greatest(o.attempts, r.attempts)
    FROM unnest($4::bigint[], $5, $6, $7::integer[]) AS r (seq, partition, epoch, attempts) JOIN fence USING (partition, epoch)
    WHERE o.seq = r.seq AND o.status = 0 AND o.from_epoch <= epoch
), dead AS (
    DELETE FROM {{p}}outbox o
    USING unnest($8::bigint[], $9, $10, $11::text[], $12::boolean[]) AS d (seq, partition, epoch, reason, parks_key)
    JOIN fence USING (partition, epoch)
    WHERE o.seq = d.seq AND o.status = 0 AND o.from_epoch <= epoch
    RETURNING o.seq, o.partition, o.attempts, {of_row}, d.reason, d.parks_key
)
INSERT INTO {{p}}dead_letter (seq, partition, attempts, reason, parks_key, {MESSAGE})
SELECT seq, partition, attempts + 1, reason, parks_key, {MESSAGE} FROM dead ORDER BY seq"
    )
}

pub(super) async fn settle_rows(shared: &Shared<Postgres>, settlements: &[Settlement]) -> Result<(), BoxError> {
    let of = |wanted: fn(&Verdict) -> bool| settlements.iter().filter(move |settlement| wanted(&settlement.verdict));
    let sent: Vec<_> = of(|verdict| matches!(verdict, Verdict::Sent)).map(|settlement| settlement.place.seq).collect();
    let (partitions, epochs) = epochs(of(|verdict| matches!(verdict, Verdict::Sent)));
    if sent.len() == settlements.len() {
        let query = sqlx::query(sql(&shared.sql.settle_sent)).bind(sent).bind(partitions).bind(epochs);
        query.execute(&shared.pool).await?;
        return Ok(());
    }
    let refused = Places::of(of(|verdict| matches!(verdict, Verdict::Refused { .. })));
    let attempts = settlements.iter().filter_map(|settlement| match settlement.verdict {
        Verdict::Refused { attempts } => Some(i32::try_from(attempts).unwrap_or(i32::MAX)),
        _ => None,
    });
    let dead = Places::of(of(|verdict| matches!(verdict, Verdict::Dead { .. })));
    let (reasons, parks): (Vec<_>, Vec<_>) = settlements
        .iter()
        .filter_map(|settlement| match &settlement.verdict {
            // PostgreSQL refuses this character in a text.
            Verdict::Dead { reason, parks_key } => Some((reason.replace('\0', ""), *parks_key)),
            _ => None,
        })
        .unzip();
    let query = sqlx::query(sql(&shared.sql.settle)).bind(sent).bind(partitions).bind(epochs);
    let query =
        query.bind(refused.seqs).bind(refused.partitions).bind(refused.epochs).bind(attempts.collect::<Vec<_>>());
    let query = query.bind(dead.seqs).bind(dead.partitions).bind(dead.epochs).bind(reasons).bind(parks);
    query.execute(&shared.pool).await?;
    Ok(())
}

/// The epoch of each partition; of several the oldest one, because it is better to send twice than not at all.
fn epochs<'a>(settlements: impl Iterator<Item = &'a Settlement>) -> (Vec<i16>, Vec<i64>) {
    let mut epochs = BTreeMap::new();
    for Settlement { place, epoch, .. } in settlements {
        epochs
            .entry(partition(place.partition))
            .and_modify(|oldest: &mut i64| *oldest = (*oldest).min(*epoch))
            .or_insert(*epoch);
    }
    epochs.into_iter().unzip()
}

#[derive(Default)]
struct Places {
    seqs: Vec<i64>,
    partitions: Vec<i16>,
    epochs: Vec<i64>,
}

impl Places {
    fn of<'a>(settlements: impl Iterator<Item = &'a Settlement>) -> Self {
        let mut places = Self::default();
        for settlement in settlements {
            places.seqs.push(settlement.place.seq);
            places.partitions.push(partition(settlement.place.partition));
            places.epochs.push(settlement.epoch);
        }
        places
    }
}
