use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use diator::inbox::Entry;
use diator::{BoxError, async_trait};
use sqlx::{AssertSqlSafe, Row, Sqlite};

use super::stage::arguments;
use super::turn::{commit, turn};
use super::{NOW, millis};
use crate::store::{EntersRows, Shared, StageValue, Statement, sql};
use crate::transaction::Transaction;

/// It returns a row if it is the first to enter.
pub(super) fn enter() -> String {
    format!(
        "INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until) VALUES (?1, ?2, ?3, ?4, {NOW} + ?5)
        ON CONFLICT DO NOTHING RETURNING 1"
    )
}

pub(super) fn prune() -> String {
    format!(
        "DELETE FROM {{p}}inbox WHERE (message, endpoint, handler, generation) IN (
        SELECT message, endpoint, handler, generation FROM {{p}}inbox WHERE until < {NOW} ORDER BY until LIMIT ?1)"
    )
}

pub(super) fn statement<'a>(shared: &Shared<Sqlite>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
    let text = |text| StageValue::Text(Some(text));
    let values = vec![
        text(Cow::Owned(entry.message.to_string())),
        text(Cow::Borrowed(entry.endpoint)),
        text(Cow::Borrowed(entry.handler)),
        StageValue::BigInt(entry.generation.into()),
        StageValue::BigInt(millis(kept)),
    ];
    Statement { sql: Cow::Owned(shared.sql.enter.to_string()), values }
}

pub(super) async fn prune_rows(shared: &Arc<Shared<Sqlite>>, limit: u32) -> Result<u64, BoxError> {
    let turn = turn(&shared.pool);
    let mut connection = turn.connection().await?;
    let delete = sqlx::query(sql(&shared.sql.prune_inbox)).bind(limit);
    let deleted = delete.execute(&mut *connection).await?.rows_affected();
    commit(&turn, connection).await?;
    Ok(deleted)
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
