use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use diator::inbox::Entry;
use diator::{BoxError, async_trait};
use sqlx::{AssertSqlSafe, Postgres, Row};

use super::stage::bind;
use crate::store::{EntersRows, Shared, StageValue, Statement, micros, sql};
use crate::transaction::Transaction;

/// The number is that of the transaction if it is the first to enter; 0 if another one has committed, and -1 if another one is open.
///
/// The lock of the entry is taken before the row is written: `entered` reads it from `lock`, which is evaluated once. So no insert waits
/// for another transaction's. Whoever gets the lock after a commit finds that row, because a unique index is read as it is now.
pub(super) const ENTER: &str = "
WITH lock AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended(
        '{p}inbox ' || $1::uuid::text || ' ' || $4::bigint::text || ' ' || length($2::text)::text || ' ' || $2 || $3::text, 0)) AS held
), entered AS (
    INSERT INTO {p}inbox (message, endpoint, handler, generation, until)
    SELECT $1, $2, $3, $4, clock_timestamp() + $5::bigint * interval '1 microsecond' FROM lock WHERE held
    ON CONFLICT DO NOTHING
    RETURNING pg_current_xact_id()::text::int8 AS id
)
SELECT CASE WHEN held THEN coalesce((SELECT id FROM entered), 0) ELSE -1 END FROM lock";

const PRUNE: &str = "
WITH old AS MATERIALIZED (
    SELECT message, endpoint, handler, generation FROM {p}inbox
    WHERE until < statement_timestamp() {lease} ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM {p}inbox WHERE (message, endpoint, handler, generation) IN (SELECT * FROM old)";

pub(super) fn prune() -> String {
    PRUNE.replace("{lease}", "")
}

/// As the cleaner that the relay `$2` is, or not at all.
pub(super) fn prune_as_cleaner() -> String {
    let lease =
        "AND EXISTS (SELECT FROM {p}outbox_lease WHERE partition = -1 AND owner = $2 AND until > clock_timestamp())";
    PRUNE.replace("{lease}", lease)
}

pub(super) fn statement<'a>(shared: &Shared<Postgres>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
    let text = |text| StageValue::Text(Some(Cow::Borrowed(text)));
    let values = vec![
        StageValue::Uuid(Some(entry.message)),
        text(entry.endpoint),
        text(entry.handler),
        StageValue::BigInt(entry.generation.into()),
        StageValue::BigInt(micros(kept)),
    ];
    Statement { sql: Cow::Owned(shared.sql.enter.to_string()), values }
}

pub(super) async fn prune_rows(shared: &Arc<Shared<Postgres>>, limit: u32) -> Result<u64, BoxError> {
    let delete = sqlx::query(sql(&shared.sql.prune_inbox)).bind(i64::from(limit));
    Ok(delete.execute(&shared.pool).await?.rows_affected())
}

#[async_trait]
impl<Tag: 'static> EntersRows for Transaction<Postgres, Tag> {
    async fn fetch(&self, sql: &str, values: &[StageValue<'_>]) -> Result<Option<i64>, BoxError> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)), values);
        let mut connection = self.connection().await?;
        let row = query.fetch_optional(&mut *connection).await?;
        let number: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
        if let Some(id) = number.filter(|number| *number > 0) {
            connection.staged(Some(id));
        }
        Ok(number)
    }
}
