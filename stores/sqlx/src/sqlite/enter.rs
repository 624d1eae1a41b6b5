use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use diator::inbox::Entry;
use diator::{BoxError, async_trait};
use sqlx::{AssertSqlSafe, Row, Sqlite};

use super::stage::arguments;
use super::turn::{commit, turn};
use super::{NOW, millis};
use crate::store::{ATTEMPTS_KEPT, BEHIND, EntersRows, Prefix, Shared, StageValue, Statement, sql};
use crate::transaction::Transaction;

#[derive(Clone, Debug)]
pub(super) struct Sql {
    enter: Arc<str>,
    enter_in_turn: Arc<str>,
    behind: Arc<str>,
}

/// Whether a delivery holds the key of an entry.
const HELD: &str =
    "EXISTS (SELECT 1 FROM {p}delivery WHERE holds_key AND endpoint = ?2 AND topic = {topic} AND key = {key})";

impl Sql {
    /// A row is returned if it is the first to enter. The statement cannot say why none is: `behind` does.
    pub(super) fn new(prefix: &Prefix) -> Self {
        let enter = |held: &str| {
            prefix.fill(&format!(
                "INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until) SELECT ?1, ?2, ?3, ?4, {NOW} + ?5 WHERE {held}
                ON CONFLICT DO NOTHING RETURNING 1"
            ))
        };
        let known = "SELECT 1 FROM {p}inbox WHERE message = ?1 AND endpoint = ?2 AND handler = ?3 AND generation = ?4";
        let held = |topic, key| HELD.replace("{topic}", topic).replace("{key}", key);
        let behind = prefix.fill(&format!("SELECT {BEHIND} WHERE {} AND NOT EXISTS ({known})", held("?5", "?6")));
        Self { enter: enter("true"), enter_in_turn: enter(&format!("NOT {}", held("?6", "?7"))), behind }
    }
}

pub(super) fn prune() -> String {
    format!(
        "DELETE FROM {{p}}inbox WHERE (message, endpoint, handler, generation) IN (
        SELECT message, endpoint, handler, generation FROM {{p}}inbox WHERE until < {NOW} ORDER BY until LIMIT ?1)"
    )
}

pub(super) fn statement<'a>(shared: &'a Shared<Sqlite>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
    let mut values = known_by(entry);
    values.push(StageValue::BigInt(millis(kept)));
    values.extend(turn_of(entry));
    let texts = &shared.sql.enter;
    let text = if entry.turn.is_some() { &texts.enter_in_turn } else { &texts.enter };
    Statement { sql: Cow::Borrowed(text), values }
}

pub(super) fn reason<'a>(shared: &'a Shared<Sqlite>, entry: &Entry<'a>) -> Option<Statement<'a>> {
    entry.turn?;
    let values = known_by(entry).into_iter().chain(turn_of(entry)).collect();
    Some(Statement { sql: Cow::Borrowed(&shared.sql.enter.behind), values })
}

fn known_by<'a>(entry: &Entry<'a>) -> Vec<StageValue<'a>> {
    let text = |text| StageValue::Text(Some(text));
    vec![
        text(Cow::Owned(entry.message.to_string())),
        text(Cow::Borrowed(entry.endpoint)),
        text(Cow::Borrowed(entry.handler)),
        StageValue::BigInt(entry.generation.into()),
    ]
}

fn turn_of<'a>(entry: &Entry<'a>) -> impl Iterator<Item = StageValue<'a>> + use<'a> {
    let texts = entry.turn.map(|turn| [turn.topic, turn.key]);
    texts.into_iter().flatten().map(|text| StageValue::Text(Some(Cow::Borrowed(text))))
}

pub(super) async fn prune_rows(shared: &Arc<Shared<Sqlite>>, limit: u32) -> Result<u64, BoxError> {
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    let delete = sqlx::query(sql(&shared.sql.prune_inbox)).bind(limit);
    let entries = delete.execute(&mut *connection).await?.rows_affected();
    let delete = sqlx::query(sql(&shared.sql.prune_attempts)).bind(limit).bind(millis(ATTEMPTS_KEPT));
    let attempts = delete.execute(&mut *connection).await?.rows_affected();
    commit(&turn, connection).await?;
    Ok(entries.max(attempts))
}

#[async_trait]
impl<Tag: 'static> EntersRows for Transaction<Sqlite, Tag> {
    async fn fetch(&self, sql: &str, values: &[StageValue<'_>]) -> Result<Option<i64>, BoxError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
        let mut connection = self.connection().await?;
        let row = query.fetch_optional(&mut *connection).await?;
        let number = row.map(|row| row.try_get(0)).transpose()?;
        connection.staged(());
        Ok(number)
    }
}
