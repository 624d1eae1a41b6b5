use std::time::Duration;

use diator::BoxError;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use uuid::Uuid;

use crate::store::StoredDelivery;

/// Reads the columns of [`DELIVERY`](crate::store::DELIVERY), of which the first has this index.
pub(super) fn delivery(row: &SqliteRow, number: i64, holds_key: bool, first: usize) -> StoredDelivery {
    let mut stored = StoredDelivery { number, holds_key, ..StoredDelivery::default() };
    macro_rules! columns {
        ($($index:literal $field:ident)*) => {$(
            let value = row.try_get(first + $index).map_err(Into::into);
            stored.$field = stored.or_default(stringify!($field), value);
        )*};
    }
    columns!(0 endpoint 1 handler 3 generation 4 failures 5 name 6 topic 7 position 8 key 9 headers 10 content_type 11 body);
    let id = row.try_get(first + 2).map_err(BoxError::from);
    let id = id.and_then(|id| Uuid::try_parse(id).map_err(Into::into));
    stored.message = stored.or_default("message", id);
    stored
}

/// The value of a column that is shown, or its default: a hand may have written another type there.
pub(super) fn shown<'r, T: Default + Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, index: usize) -> T {
    row.try_get(index).unwrap_or_default()
}

pub(super) fn time(millis: i64) -> Duration {
    Duration::from_millis(millis.try_into().unwrap_or_default())
}
