use std::sync::Arc;

use diator::deliveries::{AttemptLog, Attempts, Ended};
use diator::{BoxError, async_trait};
use sqlx::{Postgres, Row};
use uuid::Uuid;

use crate::store::{Prefix, SqlxAttemptLog, before, counted, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    begin: Arc<str>,
    end: Arc<str>,
}

/// A note is to survive a crash of the process, and not one of the server.
const AT_ONCE: &str = "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            begin: prefix.fill(&format!(
                "INSERT INTO {{p}}attempt AS a (message, endpoint, unended, at)
                SELECT message, $1, times, clock_timestamp() FROM unnest($2::uuid[], $3::bigint[]) AS m (message, times)
                WHERE {AT_ONCE} ORDER BY message
                ON CONFLICT (message, endpoint) DO UPDATE SET unended = a.unended + excluded.unended, at = excluded.at
                RETURNING message, unended"
            )),
            end: prefix.fill(&format!(
                "WITH ended AS MATERIALIZED (
                    SELECT message FROM {{p}}attempt WHERE endpoint = $1 AND message = ANY ($2) ORDER BY message FOR UPDATE
                )
                DELETE FROM {{p}}attempt a USING ended WHERE a.endpoint = $1 AND a.message = ended.message AND {AT_ONCE}"
            )),
        }
    }
}

const PRUNE: &str = "
WITH old AS MATERIALIZED (
    SELECT ctid FROM {p}attempt
    WHERE at < statement_timestamp() - $2 * interval '1 microsecond' {lease} ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM {p}attempt WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))";

pub(super) fn prune() -> String {
    PRUNE.replace("{lease}", "")
}

/// As the cleaner that the relay `$3` is, or not at all.
pub(super) fn prune_as_cleaner() -> String {
    PRUNE.replace("{lease}", &format!("AND {}", super::prune::is_cleaner("$3")))
}

#[async_trait]
impl AttemptLog for SqlxAttemptLog<Postgres> {
    async fn begin(&self, endpoint: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        let counted = counted(messages.iter().copied());
        let (ids, times): (Vec<Uuid>, Vec<i64>) = counted.iter().map(|(id, times)| (*id, *times)).unzip();
        let query = sqlx::query(sql(&self.shared.sql.attempts.begin)).bind(endpoint).bind(ids).bind(times);
        let rows = query.fetch_all(&self.shared.pool).await.map_err(|error| self.explain(error))?;
        let after = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(before(messages, &counted, &after.collect::<Result<_, BoxError>>()?))
    }

    async fn end(&self, endpoint: &str, messages: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        let ids: Vec<_> = messages.iter().map(|(message, _)| *message).collect();
        let query = sqlx::query(sql(&self.shared.sql.attempts.end)).bind(endpoint).bind(ids);
        query.execute(&self.shared.pool).await.map_err(|error| self.explain(error))?;
        Ok(())
    }
}
