use diator::BoxError;
use diator::container::{CommitError, UnitOfWork};
use diator::inbox::Turn;
use sqlx::{PgConnection, Postgres, raw_sql};

use super::stored;
use crate::store::{Shared, sql};
use crate::transaction::{Mode, Transaction};

/// The number of a queue, by expressions for its parts. It is also the number of its lock.
///
/// Two keys with one hash of 64 bits wait for each other, which is harmless.
pub(in crate::postgres) fn queue(endpoint: &str, topic: &str, key: &str) -> String {
    format!(
        "hashtextextended('{{p}}delivery ' || length({endpoint})::text || ' ' || length({topic})::text || ' ' || {endpoint} || {topic} || {key}, 0)"
    )
}

/// Notes of queues which row is the first by now. Whoever calls it holds their locks, so that nobody else adds or removes a row.
pub(super) const PROMOTE: &str = "
UPDATE {p}delivery d SET is_first = true FROM unnest($1::bigint[]) AS q (queue)
WHERE d.number = (SELECT min(first.number) FROM {p}delivery first WHERE first.queue = q.queue) AND NOT d.is_first";

/// A transaction in which each statement sees what was committed before it, whatever the default is: it has waited for locks.
pub(super) async fn begin(transaction: &Transaction<Postgres>) -> Result<(), BoxError> {
    let mut connection = transaction.connection().await?;
    raw_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(&mut *connection).await?;
    Ok(())
}

pub(super) fn is_held_text() -> String {
    format!("SELECT 1 FROM {{p}}delivery WHERE queue = {} LIMIT 1", queue("$1::text", "$2::text", "$3::text"))
}

pub(super) async fn is_held(shared: &Shared<Postgres>, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
    let row = sqlx::query(sql(&shared.sql.deliveries.is_held)).bind(endpoint);
    let row = row.bind(stored(turn.topic)).bind(stored(turn.key));
    Ok(row.fetch_optional(&shared.pool).await?.is_some())
}

pub(super) fn turn(shared: &Shared<Postgres>) -> Transaction<Postgres> {
    Transaction::new(shared.pool.clone(), Mode::Write)
}

pub(super) async fn promote(
    shared: &Shared<Postgres>,
    queues: &[i64],
    connection: &mut PgConnection,
) -> Result<(), BoxError> {
    if !queues.is_empty() {
        sqlx::query(sql(&shared.sql.deliveries.promote)).bind(queues).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn commit(turn: &Transaction<Postgres>) -> Result<(), BoxError> {
    turn.commit().await.map_err(CommitError::into_source)
}
