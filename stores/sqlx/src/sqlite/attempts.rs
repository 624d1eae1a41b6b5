use std::collections::HashMap;
use std::sync::Arc;

use diator::deliveries::{AttemptLog, Attempts, Ended};
use diator::{BoxError, async_trait};
use sqlx::{Row, Sqlite};
use uuid::Uuid;

use super::NOW;
use super::turn::{commit, turn};
use crate::store::{Prefix, SqlxAttemptLog, before, counted, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    begin: Arc<str>,
    end: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            begin: prefix.fill(&format!(
                "INSERT INTO {{p}}attempt (message, endpoint, unended, at) VALUES (?1, ?2, ?3, {NOW})
                ON CONFLICT (message, endpoint) DO UPDATE SET unended = unended + excluded.unended, at = excluded.at
                RETURNING unended"
            )),
            end: prefix.fill("DELETE FROM {p}attempt WHERE message = ?1 AND endpoint = ?2"),
        }
    }
}

pub(super) fn prune() -> String {
    format!(
        "DELETE FROM {{p}}attempt WHERE (message, endpoint) IN (
        SELECT message, endpoint FROM {{p}}attempt WHERE at < {NOW} - ?2 ORDER BY at LIMIT ?1)"
    )
}

#[async_trait]
impl AttemptLog for SqlxAttemptLog<Sqlite> {
    async fn begin(&self, endpoint: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        let counted = counted(messages.iter().copied());
        let turn = turn(&self.shared);
        let mut connection = turn.connection().await?;
        let mut after = HashMap::new();
        for (&message, &times) in &counted {
            let begin = sqlx::query(sql(&self.shared.sql.attempts.begin)).bind(message.to_string());
            let row = begin.bind(endpoint).bind(times).fetch_one(&mut *connection).await;
            after.insert(message, row.map_err(|error| self.explain(error))?.try_get(0)?);
        }
        commit(&turn, connection).await?;
        Ok(before(messages, &counted, &after))
    }

    async fn end(&self, endpoint: &str, messages: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        let turn = turn(&self.shared);
        let mut connection = turn.connection().await?;
        for (message, _) in messages {
            let end = sqlx::query(sql(&self.shared.sql.attempts.end)).bind(message.to_string()).bind(endpoint);
            end.execute(&mut *connection).await.map_err(|error| self.explain(error))?;
        }
        commit(&turn, connection).await
    }
}
