use std::borrow::Cow;
use std::sync::Arc;

use diator::BoxError;
use diator::deliveries::NewDelivery;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};

use super::row::stored;
use super::turn::{begin, commit, promote, queue, turn};
use crate::postgres::enter::entry_lock;
use crate::store::{
    DELIVERY, Prefix, SqlxDeliveries, after_of, headers_of, holds_key, is_dead, micros, reason_of, sql,
};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    put: Arc<str>,
    lock: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        let queue = queue("endpoint", "topic", "key");
        // Under the lock of its entry nobody handles a dead letter, and whoever has handled it is seen.
        let put = format!(
            "
WITH new AS MATERIALIZED (
    SELECT n.*, CASE WHEN holds_key THEN {queue} END AS queue
    FROM unnest(
        $1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::bytea[], $13::boolean[], $14::bigint[], $15::text[], $16::text[], $17::boolean[]
    ) WITH ORDINALITY AS n ({DELIVERY}, holds_key, after, kind, reason, is_dead, place)
), put AS (
    INSERT INTO {{p}}delivery (due, dead_at, kind, reason, queue, is_first, {DELIVERY})
    SELECT clock_timestamp() + after * interval '1 microsecond', CASE WHEN is_dead THEN clock_timestamp() END, kind, reason,
        queue, queue IS NULL, {DELIVERY}
    FROM new n WHERE NOT EXISTS (
        SELECT FROM {{p}}inbox i WHERE i.message = n.message AND i.endpoint = n.endpoint AND i.handler = n.handler
    ) ORDER BY place
    ON CONFLICT (message, endpoint, handler) DO NOTHING
    RETURNING message, endpoint, handler, generation, dead_at
)
INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until)
SELECT message, endpoint, handler, generation, clock_timestamp() + $18 * interval '1 microsecond' FROM put WHERE dead_at IS NOT NULL"
        );
        // All transactions take the locks of queues in the same order, and wait for no other ones, so that they cannot deadlock.
        let lock = format!(
            "
WITH new AS MATERIALIZED (
    SELECT CASE WHEN holds_key THEN {queue} END AS queue, CASE WHEN is_dead THEN {} END AS entry
    FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::boolean[])
        AS n (endpoint, handler, message, generation, topic, key, holds_key, is_dead)
)
{}",
            entry_lock("message", "generation", "endpoint", "handler"),
            LOCK.replace("{queues}", "new").replace("{entries}", "new")
        );
        Self { put: prefix.fill(&put), lock: prefix.fill(&lock) }
    }
}

/// Locks queues, and entries of which nobody else has the lock: a row for each, with whether it is locked, and its queue.
pub(super) const LOCK: &str = "
SELECT true AS held, queue FROM (
    SELECT queue, pg_advisory_xact_lock(queue) FROM (
        SELECT DISTINCT queue FROM {queues} WHERE queue IS NOT NULL ORDER BY queue OFFSET 0
    ) AS ordered OFFSET 0
) AS locked
UNION ALL
SELECT pg_try_advisory_xact_lock(entry), NULL FROM (SELECT DISTINCT entry FROM {entries} WHERE entry IS NOT NULL OFFSET 0) AS entries";

pub(super) async fn put(store: &SqlxDeliveries<Postgres>, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
    let shared = &store.shared;
    let needs_locks = |new: &NewDelivery| holds_key(new) || is_dead(new);
    let text = &shared.sql.deliveries.put;
    if !deliveries.iter().any(needs_locks) {
        put_query(&text.put, store, deliveries).execute(&shared.pool).await?;
        return Ok(());
    }
    let turn = turn(shared);
    begin(&turn).await?;
    let mut connection = turn.connection().await?;
    let queues = locked(lock_query(&text.lock, deliveries), &mut connection).await?;
    put_query(&text.put, store, deliveries).execute(&mut *connection).await?;
    promote(shared, &queues, &mut connection).await?;
    drop(connection);
    commit(&turn).await
}

/// Takes the locks, and returns the queues.
pub(super) async fn locked(
    query: Query<'_, Postgres, PgArguments>,
    connection: &mut PgConnection,
) -> Result<Vec<i64>, BoxError> {
    let mut queues = Vec::new();
    for row in query.fetch_all(connection).await? {
        if !row.try_get::<bool, _>(0)? {
            return Err("another transaction handles a message that is to become a dead letter".into());
        }
        queues.extend(row.try_get::<Option<i64>, _>(1)?);
    }
    Ok(queues)
}

fn all<'q, T>(deliveries: &'q [NewDelivery], of: impl FnMut(&'q NewDelivery) -> T) -> Vec<T> {
    deliveries.iter().map(of).collect()
}

fn perhaps(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(stored)
}

fn lock_query<'q>(text: &Arc<str>, new: &'q [NewDelivery]) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(sql(text)).bind(all(new, |new| &*new.endpoint)).bind(all(new, |new| &*new.handler));
    let query = query.bind(all(new, |new| new.message)).bind(all(new, |new| i64::from(new.generation)));
    let query = query.bind(all(new, |new| stored(&new.topic))).bind(all(new, |new| perhaps(new.key.as_deref())));
    query.bind(all(new, holds_key)).bind(all(new, is_dead))
}

fn put_query<'q>(
    text: &Arc<str>,
    store: &SqlxDeliveries<Postgres>,
    new: &'q [NewDelivery],
) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(sql(text)).bind(all(new, |new| &*new.endpoint)).bind(all(new, |new| &*new.handler));
    let query = query.bind(all(new, |new| new.message)).bind(all(new, |new| i64::from(new.generation)));
    let query = query.bind(all(new, |new| i64::from(new.failures))).bind(all(new, |new| perhaps(new.name.as_deref())));
    let query = query.bind(all(new, |new| stored(&new.topic))).bind(all(new, |new| perhaps(new.position.as_deref())));
    let query = query.bind(all(new, |new| perhaps(new.key.as_deref()))).bind(all(new, headers_of));
    let query = query.bind(all(new, |new| perhaps(new.content_type.as_deref()))).bind(all(new, |new| &*new.body));
    let query = query.bind(all(new, holds_key)).bind(all(new, |new| micros(after_of(new))));
    let query = query.bind(all(new, |new| reason_of(new).map(|reason| without_zero(&reason.kind))));
    let query = query.bind(all(new, |new| reason_of(new).map(|reason| without_zero(&reason.text))));
    query.bind(all(new, is_dead)).bind(micros(store.kept))
}

/// PostgreSQL refuses this character in a text.
pub(super) fn without_zero(text: &str) -> String {
    text.replace('\0', "")
}
