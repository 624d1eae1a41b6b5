use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use diator::inbox::Entry;
use diator::{BoxError, async_trait};
use sqlx::{AssertSqlSafe, Postgres, Row};

use super::deliveries::{queue, stored};
use super::stage::bind;
use crate::store::{ATTEMPTS_KEPT, BEHIND, EntersRows, Prefix, Shared, StageValue, Statement, micros, sql};
use crate::transaction::Transaction;

/// The texts for an entry without a turn, and for one with a turn; each without a limit, and with one.
#[derive(Clone, Debug)]
pub(super) struct Sql([[Arc<str>; 2]; 2]);

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self([false, true].map(|turn| [false, true].map(|limit| prefix.fill(&enter(turn, limit)))))
    }
}

/// The number is that of the transaction if it is the first to enter; 0 if another one has committed, and -1 if another one is open.
///
/// The lock of the entry is taken before the row is written: `entered` reads it from `lock`, which is evaluated once. So no insert waits
/// for another transaction's. Whoever gets the lock after a commit finds that row, because a unique index is read as it is now.
///
/// A limit ends the transaction when it is idle for longer than its handler may take: its process stands still. The setting is for
/// this transaction alone, and never longer than the session's own. A turn is looked up by the index of what holds keys.
fn enter(turn: bool, limit: bool) -> String {
    let lock = entry_lock("$1::uuid", "$4::bigint", "$2::text", "$3::text");
    let held = format!("pg_try_advisory_xact_lock({lock}) AS held");
    let limited = match limit {
        true => {
            ", set_config('idle_in_transaction_session_timeout', CASE
        WHEN current_setting('idle_in_transaction_session_timeout')::interval BETWEEN interval '1 microsecond' AND $6::bigint * interval '1 millisecond'
        THEN current_setting('idle_in_transaction_session_timeout') ELSE $6::bigint::text END, true) AS limited"
        }
        false => "",
    };
    let (kept, and_not, behind) = match turn {
        true => {
            let [topic, key] = if limit { ["$7::text", "$8::text"] } else { ["$6::text", "$7::text"] };
            let queue = queue("$2::text", topic, key);
            let known =
                "SELECT FROM {p}inbox WHERE message = $1 AND endpoint = $2 AND handler = $3 AND generation = $4";
            (
                format!(
                    ", kept AS MATERIALIZED (SELECT EXISTS (SELECT FROM {{p}}delivery WHERE queue = {queue}) AS hold)"
                ),
                " AND NOT (SELECT hold FROM kept)",
                format!("WHEN (SELECT hold FROM kept) AND NOT EXISTS ({known}) THEN {BEHIND} "),
            )
        }
        false => (String::new(), "", String::new()),
    };
    format!(
        "
WITH lock AS MATERIALIZED (
    SELECT {held}{limited}
){kept}, entered AS (
    INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until)
    SELECT $1, $2, $3, $4, clock_timestamp() + $5::bigint * interval '1 microsecond' FROM lock WHERE held{and_not}
    ON CONFLICT DO NOTHING
    RETURNING pg_current_xact_id()::text::int8 AS id
)
SELECT CASE WHEN NOT held THEN -1 {behind}ELSE coalesce((SELECT id FROM entered), 0) END FROM lock"
    )
}

/// The number of the lock that whoever handles an entry holds, by expressions for its parts.
pub(super) fn entry_lock(message: &str, generation: &str, endpoint: &str, handler: &str) -> String {
    format!(
        "hashtextextended('{{p}}inbox ' || {message}::text || ' ' || {generation}::text || ' ' || length({endpoint})::text || ' ' || {endpoint} || {handler}, 0)"
    )
}

/// By their places: whatever the statistics are, nothing else is read.
const PRUNE: &str = "
WITH old AS MATERIALIZED (
    SELECT ctid FROM {p}inbox
    WHERE until < statement_timestamp() {lease} ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM {p}inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))";

pub(super) fn prune() -> String {
    PRUNE.replace("{lease}", "")
}

/// As the cleaner that the relay `$2` is, or not at all.
pub(super) fn prune_as_cleaner() -> String {
    PRUNE.replace("{lease}", &format!("AND {}", super::prune::is_cleaner("$2")))
}

pub(super) fn statement<'a>(shared: &Shared<Postgres>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
    let text = |text| StageValue::Text(Some(Cow::Borrowed(text)));
    let mut values = vec![
        StageValue::Uuid(Some(entry.message)),
        text(entry.endpoint),
        text(entry.handler),
        StageValue::BigInt(entry.generation.into()),
        StageValue::BigInt(micros(kept)),
    ];
    values.extend(entry.limit.map(|limit| StageValue::BigInt(idle_millis(limit))));
    if let Some(turn) = entry.turn {
        values.extend([turn.topic, turn.key].map(|text| StageValue::Text(Some(stored(text)))));
    }
    let text = &shared.sql.enter.0[usize::from(entry.turn.is_some())][usize::from(entry.limit.is_some())];
    Statement { sql: Cow::Owned(text.to_string()), values }
}

/// One second more than the handler may take, so that the endpoint comes first; the setting is an `integer`, and 0 means no limit.
fn idle_millis(limit: Duration) -> i64 {
    let millis = limit.saturating_add(Duration::from_secs(1)).as_millis();
    millis.min(i32::MAX.unsigned_abs().into()).try_into().unwrap_or(i64::from(i32::MAX))
}

pub(super) async fn prune_rows(shared: &Arc<Shared<Postgres>>, limit: u32) -> Result<u64, BoxError> {
    let delete = sqlx::query(sql(&shared.sql.prune_inbox)).bind(i64::from(limit));
    let entries = delete.execute(&shared.pool).await?.rows_affected();
    let delete = sqlx::query(sql(&shared.sql.prune_attempts)).bind(i64::from(limit)).bind(micros(ATTEMPTS_KEPT));
    Ok(delete.execute(&shared.pool).await?.rows_affected().max(entries))
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
