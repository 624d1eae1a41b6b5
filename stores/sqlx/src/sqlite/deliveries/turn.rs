use diator::BoxError;
use diator::inbox::Turn;
use sqlx::Sqlite;

use crate::store::{Shared, sql};

pub(super) const IS_HELD: &str =
    "SELECT 1 FROM {p}delivery WHERE holds_key AND endpoint = ?1 AND topic = ?2 AND key = ?3 LIMIT 1";

pub(super) async fn is_held(shared: &Shared<Sqlite>, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
    let row = sqlx::query(sql(&shared.sql.deliveries.is_held)).bind(endpoint).bind(turn.topic).bind(turn.key);
    Ok(row.fetch_optional(&shared.pool).await?.is_some())
}
