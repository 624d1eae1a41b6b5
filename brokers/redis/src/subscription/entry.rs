//! An entry of a stream, as the server gives it out, and as a delivery.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use diator::subscription::{ConsumeError, Delivery, DeliveryTag, Redelivered};
use redis::{RedisWrite, ToRedisArgs, Value};

use super::script::{array, bytes, int, parts, text, unexpected};

/// The id of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryId {
    ms: u64,
    number: u64,
}

/// An entry that was given out.
pub(super) struct Entry {
    pub(super) id: EntryId,
    /// Names and values, one after the other.
    fields: Vec<Value>,
    /// How often it was given out before.
    before: u32,
}

impl Entry {
    /// Of what `XREADGROUP` answers: an id and fields.
    pub(super) fn first(value: Value) -> Result<Self, ConsumeError> {
        let [id, fields] = parts(value)?;
        Ok(Self { id: text(id)?.parse()?, fields: array(fields)?, before: 0 })
    }

    /// Of what our scripts answer: an id, fields, and how often it was given out.
    pub(super) fn again(value: Value) -> Result<Self, ConsumeError> {
        let [id, fields, times] = parts(value)?;
        let before = int(&times)?.saturating_sub(1).try_into().unwrap_or(u32::MAX);
        Ok(Self { id: text(id)?.parse()?, fields: array(fields)?, before })
    }

    /// The delivery; what its body says already does not travel beside it.
    pub(super) fn into_delivery(self, tag: u64, topic: Arc<str>, position: String) -> Delivery {
        let mut delivery = Delivery::new(DeliveryTag(tag), topic, []).with_position(position);
        delivery.redelivered = Redelivered::Times(self.before);
        let mut has_body = false;
        let mut fields = self.fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let (Ok(name), Ok(value)) = (bytes(name), bytes(value)) else { continue };
            match &*name {
                b"body" => {
                    delivery.body = value.into();
                    has_body = true;
                }
                b"key" => delivery.key = Some(text_of_key(value)),
                b"id" | b"type" | b"name" => {}
                b"content_type" => delivery.content_type = String::from_utf8(value).ok().map(Into::into),
                _ => {
                    if let (Ok(name), Ok(value)) = (String::from_utf8(name), String::from_utf8(value)) {
                        delivery.headers.push((name.into(), value.into()));
                    }
                }
            }
        }
        if has_body { delivery } else { delivery.with_unreadable("the entry of the stream has no field `body`") }
    }
}

/// The key as a text; a key that is no text becomes one that no other key becomes.
fn text_of_key(key: Vec<u8>) -> Box<str> {
    const NO_TEXT: char = '\u{fffd}';
    match String::from_utf8(key) {
        Ok(text) if !text.starts_with(NO_TEXT) => text.into(),
        Ok(text) => hexadecimal(NO_TEXT, text.as_bytes()),
        Err(error) => hexadecimal(NO_TEXT, error.as_bytes()),
    }
}

fn hexadecimal(mark: char, bytes: &[u8]) -> Box<str> {
    let text = bytes.iter().fold(mark.to_string(), |mut text, byte| {
        // It writes to memory, which cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.into()
}

impl FromStr for EntryId {
    type Err = ConsumeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, number) = text.split_once('-').ok_or_else(unexpected)?;
        let number_of = |text: &str| text.parse().map_err(|_| unexpected());
        Ok(Self { ms: number_of(ms)?, number: number_of(number)? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

impl ToRedisArgs for EntryId {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    fn delivery(fields: &[(&[u8], &[u8])]) -> Delivery {
        let fields = fields.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]).collect();
        let value = Value::Array(vec![bulk(b"7-1"), Value::Array(fields), Value::Int(3)]);
        Entry::again(value).expect("it is an entry").into_delivery(1, "orders".into(), "7-1".to_owned())
    }

    #[test]
    fn fields_have_their_places() {
        let fields: [(&[u8], &[u8]); 6] = [
            (b"id", b"1"),
            (b"content_type", b"application/json"),
            (b"key", b"a"),
            (b"tenant", b"acme"),
            (b"binary", b"\xff"),
            (b"body", b"{}"),
        ];
        let delivery = delivery(&fields);
        assert_eq!((delivery.position.as_deref(), delivery.key.as_deref()), (Some("7-1"), Some("a")));
        assert_eq!((delivery.content_type.as_deref(), &*delivery.body), (Some("application/json"), &b"{}"[..]));
        assert_eq!(delivery.headers, [("tenant".into(), "acme".into())]);
        assert_eq!((delivery.redelivered, delivery.unreadable), (Redelivered::Times(2), None));
    }

    #[test]
    fn a_strangers_entry_is_unreadable() {
        assert!(delivery(&[(b"data", b"{}")]).unreadable.is_some());
    }

    #[test]
    fn each_key_has_another_text() {
        let keys: [&[u8]; 5] = [b"a", b"", b"\xff", "\u{fffd}ff".as_bytes(), b"\xfe"];
        let texts: BTreeSet<_> = keys.iter().map(|key| text_of_key(key.to_vec())).collect();
        assert_eq!(texts.len(), keys.len(), "{texts:?}");
    }

    #[test]
    fn ids_are_read_and_written() {
        let id: EntryId = "1526919030474-55".parse().expect("it is an id");
        assert_eq!(id.to_string(), "1526919030474-55");
        assert!("1".parse::<EntryId>().is_err() && "a-1".parse::<EntryId>().is_err());
    }
}
