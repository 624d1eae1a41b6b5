use std::sync::Arc;
use std::time::Duration;

use diator::BoxError;
use diator::deliveries::{DeliveryFilter, KeptDelivery};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};

use super::put::{LOCK, without_zero};
use super::row::{delivery, micros_of, stored};
use super::turn::{begin, commit, promote, turn};
use crate::store::{DELIVERY, Prefix, Shared, failure, sql, state};

const CHOSEN: &str = "
(cardinality($1::bigint[]) = 0 OR number = ANY ($1)) AND ($2::text IS NULL OR endpoint = $2) AND ($3::text IS NULL OR handler = $3)
AND ($4::text IS NULL OR topic = $4) AND ($5::boolean IS NULL OR (dead_at IS NOT NULL) = $5) AND ($6::text IS NULL OR kind = $6)
AND ($7::text IS NULL OR position($7 IN reason) > 0) AND ($8::text IS NULL OR name = $8)";

const IS_FREE: &str = "NOT (leased AND due > clock_timestamp())";

/// So many rows a transaction discards: each can hold a lock, of which a server has a limited number.
const BATCH: i64 = 1_000;

#[derive(Clone, Debug)]
pub(super) struct Sql {
    list: Arc<str>,
    replay: Arc<str>,
    hasten: Arc<str>,
    choose: Arc<str>,
    discard: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        let list = format!(
            "SELECT number, queue IS NOT NULL, {}, leased AND due > clock_timestamp(), {}, kind, reason, {DELIVERY}
            FROM {{p}}delivery WHERE {CHOSEN} ORDER BY number LIMIT $9",
            micros_of("due"),
            // `least` and `greatest` leave out what is null.
            format_args!("CASE WHEN dead_at IS NOT NULL THEN {} END", micros_of("dead_at"))
        );
        // Chosen once: within the condition of the UPDATE, some plans choose anew for each row, and take more than the limit.
        let replay = format!(
            "
WITH chosen AS MATERIALIZED (
    SELECT number FROM {{p}}delivery WHERE dead_at IS NOT NULL AND {CHOSEN} ORDER BY number LIMIT $9 FOR UPDATE
)
UPDATE {{p}}delivery d SET dead_at = NULL, kind = NULL, reason = NULL, failures = 0, lost = 0, due = clock_timestamp(),
    generation = least(d.generation + 1, 4294967295)
FROM chosen WHERE d.number = chosen.number"
        );
        // A lease that has ended by itself is due: its row stays as it is.
        let hasten = format!(
            "
WITH chosen AS MATERIALIZED (
    SELECT number FROM {{p}}delivery WHERE dead_at IS NULL AND {IS_FREE} AND {CHOSEN} ORDER BY number LIMIT $9 FOR UPDATE
)
UPDATE {{p}}delivery d SET due = least(d.due, clock_timestamp()) FROM chosen WHERE d.number = chosen.number"
        );
        let choose = format!(
            "
WITH chosen AS MATERIALIZED (
    SELECT number, queue, NULL::bigint AS entry FROM {{p}}delivery WHERE number > $10 AND {IS_FREE} AND {CHOSEN} ORDER BY number LIMIT $9
)
SELECT held, queue, NULL::bigint FROM ({}) AS locked UNION ALL SELECT true, NULL, number FROM chosen",
            LOCK.replace("{queues}", "chosen").replace("{entries}", "chosen")
        );
        let discard = format!("DELETE FROM {{p}}delivery WHERE {IS_FREE} AND {CHOSEN}");
        let [list, replay, hasten, choose, discard] =
            [list, replay, hasten, choose, discard].map(|text| prefix.fill(&text));
        Self { list, replay, hasten, choose, discard }
    }
}

pub(super) async fn list(shared: &Shared<Postgres>, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
    let query = chosen(&shared.sql.deliveries.chosen.list, &filter.ids, filter);
    let rows = query.bind(filter.limit.map(i64::from)).fetch_all(&shared.pool).await?;
    rows.iter().map(decode).collect()
}

pub(super) async fn replay(shared: &Shared<Postgres>, filter: &DeliveryFilter) -> Result<u64, BoxError> {
    let query = chosen(&shared.sql.deliveries.chosen.replay, &filter.ids, filter);
    Ok(query.bind(filter.limit.map(i64::from)).execute(&shared.pool).await?.rows_affected())
}

pub(super) async fn hasten(shared: &Shared<Postgres>, filter: &DeliveryFilter) -> Result<u64, BoxError> {
    let query = chosen(&shared.sql.deliveries.chosen.hasten, &filter.ids, filter);
    Ok(query.bind(filter.limit.map(i64::from)).execute(&shared.pool).await?.rows_affected())
}

pub(super) async fn discard(shared: &Shared<Postgres>, filter: &DeliveryFilter) -> Result<u64, BoxError> {
    let text = &shared.sql.deliveries.chosen;
    let (mut discarded, mut after) = (0, i64::MIN);
    loop {
        let left = filter.limit.map_or(BATCH, |limit| i64::from(limit) - i64::try_from(discarded).unwrap_or(i64::MAX));
        let batch = left.clamp(0, BATCH);
        let turn = turn(shared);
        begin(&turn).await?;
        let mut connection = turn.connection().await?;
        let choose = chosen(&text.choose, &filter.ids, filter).bind(batch).bind(after);
        let (mut numbers, mut queues) = (Vec::new(), Vec::new());
        for row in choose.fetch_all(&mut *connection).await? {
            queues.extend(row.try_get::<Option<i64>, _>(1)?);
            numbers.extend(row.try_get::<Option<i64>, _>(2)?);
        }
        let Some(last) = numbers.iter().max() else { return Ok(discarded) };
        after = *last;
        // A row may have changed while this one waited for the locks.
        let query = chosen(&text.discard, &numbers, filter);
        discarded += query.execute(&mut *connection).await?.rows_affected();
        promote(shared, &queues, &mut connection).await?;
        drop(connection);
        commit(&turn).await?;
    }
}

fn chosen<'q>(text: &Arc<str>, ids: &'q [i64], filter: &'q DeliveryFilter) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(sql(text)).bind(ids).bind(filter.endpoint.as_deref()).bind(filter.handler.as_deref());
    let query = query.bind(filter.topic.as_deref().map(stored)).bind(filter.dead);
    let query = query.bind(filter.kind.as_deref().map(without_zero)).bind(filter.reason.as_deref().map(without_zero));
    query.bind(filter.name.as_deref().map(stored))
}

fn decode(row: &PgRow) -> Result<KeptDelivery, BoxError> {
    let time = |micros: i64| Duration::from_micros(micros.try_into().unwrap_or_default());
    let dead_at = row.try_get::<Option<i64>, _>(4)?.map(time);
    let failure = failure(row.try_get(5)?, row.try_get(6)?);
    let state = state(time(row.try_get(2)?), row.try_get(3)?, dead_at, failure.as_ref());
    Ok(delivery(row, row.try_get(0)?, row.try_get(1)?, 7).kept(state, failure))
}
