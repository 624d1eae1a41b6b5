use std::borrow::Cow;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::store::StoredDelivery;

/// Reads the columns of [`DELIVERY`](crate::store::DELIVERY), of which the first has this index.
pub(super) fn delivery(row: &PgRow, number: i64, holds_key: bool, first: usize) -> StoredDelivery {
    let mut stored = StoredDelivery { number, holds_key, ..StoredDelivery::default() };
    macro_rules! columns {
        ($($index:literal $field:ident)*) => {$(
            let value = row.try_get(first + $index).map_err(Into::into);
            stored.$field = stored.or_default(stringify!($field), value);
        )*};
    }
    columns!(0 endpoint 1 handler 2 message 3 generation 4 failures 5 name 6 topic 7 position 8 key 9 headers 10 content_type 11 body);
    stored.topic = read(stored.topic);
    for text in [&mut stored.name, &mut stored.position, &mut stored.key, &mut stored.content_type] {
        *text = text.take().map(read);
    }
    stored
}

/// As PostgreSQL can keep a text from outside: it refuses the character zero.
pub(in crate::postgres) fn stored(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', '\u{1a}']) {
        Cow::Owned(text.replace('\u{1a}', "\u{1a}1").replace('\0', "\u{1a}0"))
    } else {
        Cow::Borrowed(text)
    }
}

fn read(text: String) -> String {
    if text.contains('\u{1a}') { text.replace("\u{1a}0", "\0").replace("\u{1a}1", "\u{1a}") } else { text }
}

/// A time in microseconds since 1970, also one that is beyond what can be counted.
pub(super) fn micros_of(time: &str) -> String {
    format!(
        "(extract(epoch FROM least(greatest({time}, timestamptz 'epoch'), timestamptz '9999-01-01')) * 1000000)::bigint"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_zero_is_read_as_it_was() {
        for text in ["", "plain", "\0", "a\0b", "\u{1a}", "\u{1a}0", "\u{1a}1\0", "\0\u{1a}10"] {
            let kept = stored(text);
            assert!(!kept.contains('\0'));
            assert_eq!(read(kept.into_owned()), text);
        }
    }
}
