use std::time::Duration;

use diator::BoxError;
use diator::outbox::RelayId;
use sqlx::Postgres;

use crate::store::{ATTEMPTS_KEPT, CLEANER_LEASE, Shared, micros, sql};

/// The cleaner's lease is that of partition -1; nothing is deleted without it.
pub(super) const PRUNE: &str = "
WITH cleaner AS (
    UPDATE {p}outbox_lease SET owner = $1, until = clock_timestamp() + $4 * interval '1 microsecond',
        epoch = CASE WHEN owner = $1 THEN epoch ELSE epoch + 1 END
    WHERE partition = -1 AND (owner = $1 OR until < clock_timestamp())
    RETURNING 1
), old AS MATERIALIZED (
    SELECT seq FROM {p}outbox
    WHERE status = 1 AND sent_at < statement_timestamp() - $2 * interval '1 microsecond' AND (SELECT count(*) FROM cleaner) = 1
    ORDER BY sent_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
DELETE FROM {p}outbox WHERE seq IN (SELECT seq FROM old)";

/// Whether this relay is the cleaner.
pub(super) fn is_cleaner(relay: &str) -> String {
    format!(
        "EXISTS (SELECT FROM {{p}}outbox_lease WHERE partition = -1 AND owner = {relay} AND until > clock_timestamp())"
    )
}

pub(super) async fn prune(
    shared: &Shared<Postgres>,
    relay: RelayId,
    retention: Duration,
    limit: u32,
) -> Result<u64, BoxError> {
    let limit = i64::from(limit);
    let query = sqlx::query(sql(&shared.sql.prune)).bind(relay.0).bind(micros(retention)).bind(limit);
    let messages = query.bind(micros(CLEANER_LEASE)).execute(&shared.pool).await?.rows_affected();
    let query = sqlx::query(sql(&shared.sql.prune_inbox_as_cleaner)).bind(limit).bind(relay.0);
    let entries = query.execute(&shared.pool).await?.rows_affected();
    let query = sqlx::query(sql(&shared.sql.prune_attempts_as_cleaner)).bind(limit).bind(micros(ATTEMPTS_KEPT));
    let attempts = query.bind(relay.0).execute(&shared.pool).await?.rows_affected();
    // Whoever reaches the limit is asked again.
    Ok(messages.max(entries).max(attempts))
}
