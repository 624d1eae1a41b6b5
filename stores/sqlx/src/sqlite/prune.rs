use std::sync::Arc;
use std::time::Duration;

use diator::BoxError;
use diator::outbox::RelayId;
use sqlx::Sqlite;

use super::turn::{commit, turn};
use super::{NOW, millis};
use crate::store::{ATTEMPTS_KEPT, CLEANER_LEASE, Prefix, Shared, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    lease: Arc<str>,
    delete: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            // The cleaner's lease is that of partition -1.
            lease: prefix.fill(&format!(
                "UPDATE {{p}}outbox_lease SET owner = ?1, until = {NOW} + ?2,
                epoch = CASE WHEN owner = ?1 THEN epoch ELSE epoch + 1 END
                WHERE partition = -1 AND (owner = ?1 OR until < {NOW})"
            )),
            delete: prefix.fill(&format!(
                "DELETE FROM {{p}}outbox WHERE seq IN (
                SELECT seq FROM {{p}}outbox WHERE status = 1 AND sent_at < {NOW} - ?1 ORDER BY sent_at LIMIT ?2)"
            )),
        }
    }
}

pub(super) async fn prune(
    shared: &Shared<Sqlite>,
    relay: RelayId,
    retention: Duration,
    limit: u32,
) -> Result<u64, BoxError> {
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    let lease = sqlx::query(sql(&shared.sql.prune.lease)).bind(relay.0.to_string()).bind(millis(CLEANER_LEASE));
    if lease.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(0);
    }
    let delete = sqlx::query(sql(&shared.sql.prune.delete)).bind(millis(retention)).bind(limit);
    let messages = delete.execute(&mut *connection).await?.rows_affected();
    let delete = sqlx::query(sql(&shared.sql.prune_inbox)).bind(limit);
    let entries = delete.execute(&mut *connection).await?.rows_affected();
    let delete = sqlx::query(sql(&shared.sql.prune_attempts)).bind(limit).bind(millis(ATTEMPTS_KEPT));
    let attempts = delete.execute(&mut *connection).await?.rows_affected();
    commit(&turn, connection).await?;
    // Whoever reaches the limit is asked again.
    Ok(messages.max(entries).max(attempts))
}
