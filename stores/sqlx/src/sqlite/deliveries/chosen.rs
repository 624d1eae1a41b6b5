use std::sync::Arc;

use diator::BoxError;
use diator::deliveries::{DeliveryFilter, KeptDelivery};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};

use super::row::{delivery, shown, time};
use crate::sqlite::NOW;
use crate::sqlite::turn::{commit, execute, turn};
use crate::store::{DELIVERY, Prefix, Shared, failure, sql, state};

const CHOSEN: &str = "
(json_array_length(?1) = 0 OR number IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR endpoint = ?2)
AND (?3 IS NULL OR handler = ?3) AND (?4 IS NULL OR topic = ?4) AND (?5 IS NULL OR (dead_at IS NOT NULL) = ?5)
AND (?6 IS NULL OR kind = ?6) AND (?7 IS NULL OR instr(reason, ?7) > 0) AND (?8 IS NULL OR name = ?8)
ORDER BY number LIMIT ?9";

#[derive(Clone, Debug)]
pub(super) struct Sql {
    list: Arc<str>,
    replay: Arc<str>,
    hasten: Arc<str>,
    promote: Arc<str>,
    discard: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        let is_free = format!("NOT (leased AND due > {NOW}) AND {CHOSEN}");
        let list = format!(
            "SELECT number, holds_key, due, leased AND due > {NOW}, dead_at, kind, reason, {DELIVERY} FROM {{p}}delivery WHERE {CHOSEN}"
        );
        let replay = format!(
            "UPDATE {{p}}delivery SET dead_at = NULL, kind = NULL, reason = NULL, failures = 0, lost = 0, due = {NOW},
                generation = min(generation + 1, 4294967295)
            WHERE number IN (SELECT number FROM {{p}}delivery WHERE dead_at IS NOT NULL AND {CHOSEN})"
        );
        // A lease that has ended by itself is due: its row stays as it is.
        let hasten = format!(
            "UPDATE {{p}}delivery SET due = min(due, {NOW})
            WHERE number IN (SELECT number FROM {{p}}delivery WHERE dead_at IS NULL AND {is_free})"
        );
        // Before they go: the first rows that are left of the keys that they hold.
        let promote = format!(
            "WITH chosen AS MATERIALIZED (SELECT number, endpoint, topic, key, holds_key FROM {{p}}delivery WHERE {is_free})
            UPDATE {{p}}delivery SET is_first = 1 WHERE number IN (
                SELECT (
                    SELECT min(d.number) FROM {{p}}delivery d WHERE d.holds_key AND d.endpoint = c.endpoint AND d.topic = c.topic
                    AND d.key = c.key AND d.number NOT IN (SELECT number FROM chosen)
                ) FROM (SELECT DISTINCT endpoint, topic, key FROM chosen WHERE holds_key) AS c
            )"
        );
        let discard =
            format!("DELETE FROM {{p}}delivery WHERE number IN (SELECT number FROM {{p}}delivery WHERE {is_free})");
        let [list, replay, hasten, promote, discard] =
            [list, replay, hasten, promote, discard].map(|text| prefix.fill(&text));
        Self { list, replay, hasten, promote, discard }
    }
}

pub(super) async fn list(shared: &Shared<Sqlite>, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
    let rows = chosen(&shared.sql.deliveries.chosen.list, filter)?.fetch_all(&shared.pool).await?;
    rows.iter().map(decode).collect()
}

pub(super) async fn replay(shared: &Shared<Sqlite>, filter: &DeliveryFilter) -> Result<u64, BoxError> {
    let replay = chosen(&shared.sql.deliveries.chosen.replay, filter)?;
    execute(shared, replay).await
}

pub(super) async fn hasten(shared: &Shared<Sqlite>, filter: &DeliveryFilter) -> Result<u64, BoxError> {
    let hasten = chosen(&shared.sql.deliveries.chosen.hasten, filter)?;
    execute(shared, hasten).await
}

pub(super) async fn discard(shared: &Shared<Sqlite>, filter: &DeliveryFilter) -> Result<u64, BoxError> {
    let texts = &shared.sql.deliveries.chosen;
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    chosen(&texts.promote, filter)?.execute(&mut *connection).await?;
    let discarded = chosen(&texts.discard, filter)?.execute(&mut *connection).await?.rows_affected();
    commit(&turn, connection).await?;
    Ok(discarded)
}

fn chosen<'q>(text: &Arc<str>, filter: &'q DeliveryFilter) -> Result<Query<'q, Sqlite, SqliteArguments>, BoxError> {
    let query = sqlx::query(sql(text)).bind(serde_json::to_string(&filter.ids)?).bind(filter.endpoint.as_deref());
    let query = query.bind(filter.handler.as_deref()).bind(filter.topic.as_deref()).bind(filter.dead);
    let query = query.bind(filter.kind.as_deref()).bind(filter.reason.as_deref()).bind(filter.name.as_deref());
    // A negative limit is none.
    Ok(query.bind(filter.limit.map_or(-1, i64::from)))
}

fn decode(row: &SqliteRow) -> Result<KeptDelivery, BoxError> {
    let dead_at = row.try_get::<Option<i64>, _>(4).unwrap_or(Some(0)).map(time);
    let failure = failure(shown(row, 5), shown(row, 6));
    let state = state(time(shown(row, 2)), shown(row, 3), dead_at, failure.as_ref());
    Ok(delivery(row, row.try_get(0)?, shown(row, 1), 7).kept(state, failure))
}
