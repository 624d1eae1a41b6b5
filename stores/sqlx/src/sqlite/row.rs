use diator::BoxError;
use diator::broker::OutboundMessage;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::store::StoredMessage;

/// Reads the columns of [`MESSAGE`](crate::store::MESSAGE), of which the first has this index.
pub(super) fn message(row: &SqliteRow, first: usize) -> Result<OutboundMessage, BoxError> {
    let id = |index| Ok::<_, BoxError>(row.try_get::<Option<&str>, _>(index)?.map(Uuid::try_parse).transpose()?);
    let message = StoredMessage {
        id: Uuid::try_parse(row.try_get(first)?)?,
        message_type: row.try_get(first + 1)?,
        name: row.try_get(first + 2)?,
        topic: row.try_get(first + 3)?,
        key: row.try_get(first + 4)?,
        correlation_id: id(first + 5)?,
        causation_id: id(first + 6)?,
        traceparent: row.try_get(first + 7)?,
        content_type: row.try_get(first + 8)?,
        headers: row.try_get(first + 9)?,
        body: row.try_get(first + 10)?,
    };
    message.decode()
}
