use diator::BoxError;
use diator::broker::OutboundMessage;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::store::StoredMessage;

/// Reads the columns of [`MESSAGE`](crate::store::MESSAGE), of which the first has this index.
pub(super) fn message(row: &PgRow, first: usize) -> Result<OutboundMessage, BoxError> {
    let message = StoredMessage {
        id: row.try_get(first)?,
        message_type: row.try_get(first + 1)?,
        name: row.try_get(first + 2)?,
        topic: row.try_get(first + 3)?,
        key: row.try_get(first + 4)?,
        correlation_id: row.try_get(first + 5)?,
        causation_id: row.try_get(first + 6)?,
        traceparent: row.try_get(first + 7)?,
        content_type: row.try_get(first + 8)?,
        headers: row.try_get(first + 9)?,
        body: row.try_get(first + 10)?,
    };
    message.decode()
}

/// A count or an unsigned number, which the database keeps as a signed one.
pub(super) fn unsigned(row: &PgRow, index: usize) -> Result<u64, BoxError> {
    Ok(row.try_get::<i64, _>(index)?.try_into()?)
}
