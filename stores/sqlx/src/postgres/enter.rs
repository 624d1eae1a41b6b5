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

/// The texts for an entry without a turn, and for one with a turn.
#[derive(Clone, Debug)]
pub(super) struct Sql([Texts; 2]);

#[derive(Clone, Debug)]
struct Texts {
    /// Without a limit, and with one.
    enter: [Arc<str>; 2],
    why_not: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self([false, true].map(|turn| Texts {
            enter: [false, true].map(|limit| prefix.fill(&enter(turn, limit))),
            why_not: prefix.fill(&why_not(turn)),
        }))
    }

    fn of(&self, entry: &Entry<'_>) -> &Texts {
        &self.0[usize::from(entry.turn.is_some())]
    }
}

/// The number of the transaction is returned if it is the first to enter, and no row otherwise: `why_not` says why.
///
/// The lock of the entry is taken before the row is written, because its answer decides whether there is one. So no insert waits for
/// another transaction's. Whoever gets the lock after a commit finds that row, because a unique index is read as it is now. (A `WITH`
/// that returned also why nothing was written took the server longer, for each message that is new.)
///
/// A limit ends the transaction when it is idle for longer than its handler may take: its process stands still. The setting is for
/// this transaction alone, and never longer than the session's own.
fn enter(turn: bool, limit: bool) -> String {
    let lock = lock();
    let not_held = if turn { format!("AND NOT {}", held("$6::text", "$7::text")) } else { String::new() };
    let limited = match (limit, if turn { "$8::bigint" } else { "$6::bigint" }) {
        (true, limit) => format!(
            "AND set_config('idle_in_transaction_session_timeout', CASE
        WHEN current_setting('idle_in_transaction_session_timeout')::interval BETWEEN interval '1 microsecond' AND {limit} * interval '1 millisecond'
        THEN current_setting('idle_in_transaction_session_timeout') ELSE {limit}::text END, true) IS NOT NULL"
        ),
        (false, _) => String::new(),
    };
    format!(
        "
INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until)
SELECT $1, $2, $3, $4, clock_timestamp() + $5::bigint * interval '1 microsecond'
WHERE pg_try_advisory_xact_lock({lock}) {not_held} {limited}
ON CONFLICT DO NOTHING
RETURNING pg_current_xact_id()::text::int8"
    )
}

/// 0 if another transaction has entered and committed, [`BEHIND`], and -1 if another one is open.
///
/// Another one may have ended since the statement before, or have committed unseen by this transaction: that is -1 too, and tried again.
fn why_not(turn: bool) -> String {
    let lock = lock();
    let behind = if turn { format!("WHEN {} THEN {BEHIND}", held("$5::text", "$6::text")) } else { String::new() };
    format!(
        "
SELECT CASE
    WHEN NOT pg_try_advisory_xact_lock({lock}) THEN -1
    WHEN EXISTS (SELECT FROM {{p}}inbox WHERE message = $1 AND endpoint = $2 AND handler = $3 AND generation = $4) THEN 0
    {behind} ELSE -1
END::bigint"
    )
}

fn lock() -> String {
    entry_lock("$1::uuid", "$4::bigint", "$2::text", "$3::text")
}

/// Whether a delivery holds the key, by the index of those that do.
fn held(topic: &str, key: &str) -> String {
    format!("EXISTS (SELECT FROM {{p}}delivery WHERE queue = {})", queue("$2::text", topic, key))
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

pub(super) fn statement<'a>(shared: &'a Shared<Postgres>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
    let mut values = known_by(entry);
    values.push(StageValue::BigInt(micros(kept)));
    values.extend(turn_of(entry));
    values.extend(entry.limit.map(|limit| StageValue::BigInt(idle_millis(limit))));
    let text = &shared.sql.enter.of(entry).enter[usize::from(entry.limit.is_some())];
    Statement { sql: Cow::Borrowed(text), values }
}

pub(super) fn reason<'a>(shared: &'a Shared<Postgres>, entry: &Entry<'a>) -> Statement<'a> {
    let values = known_by(entry).into_iter().chain(turn_of(entry)).collect();
    Statement { sql: Cow::Borrowed(&shared.sql.enter.of(entry).why_not), values }
}

fn known_by<'a>(entry: &Entry<'a>) -> Vec<StageValue<'a>> {
    let text = |text| StageValue::Text(Some(Cow::Borrowed(text)));
    vec![
        StageValue::Uuid(Some(entry.message)),
        text(entry.endpoint),
        text(entry.handler),
        StageValue::BigInt(entry.generation.into()),
    ]
}

fn turn_of<'a>(entry: &Entry<'a>) -> impl Iterator<Item = StageValue<'a>> + use<'a> {
    let texts = entry.turn.map(|turn| [turn.topic, turn.key]);
    texts.into_iter().flatten().map(|text| StageValue::Text(Some(stored(text))))
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
