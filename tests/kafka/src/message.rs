//! What a message of Kafka's is as a delivery, and what a delivery is as a dead letter.

use std::fmt::Write;
use std::sync::Arc;

use diator::subscription::{Delivery, DeliveryTag, Ownership, Redelivered};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

/// Marks a key that is no text.
const NO_TEXT: char = '\u{fffd}';

pub(crate) fn delivery(message: &BorrowedMessage<'_>, tag: u64, topic: Arc<str>, owner: Ownership) -> Delivery {
    let body = message.payload().unwrap_or_default();
    let mut delivery = Delivery::new(DeliveryTag(tag), topic, body)
        .with_owner(owner)
        .with_position(format!("{}-{}", message.partition(), message.offset()))
        .with_redelivered(Redelivered::Unknown);
    if let Some(key) = message.key() {
        delivery = delivery.with_key(text_of_key(key));
    }
    for header in message.headers().into_iter().flat_map(Headers::iter) {
        let value = str::from_utf8(header.value.unwrap_or_default());
        delivery = match (header.key, value) {
            ("content-type", Ok(value)) => delivery.with_content_type(value),
            (name, Ok(value)) => delivery.with_header(name, value),
            (_, Err(_)) => delivery,
        };
    }
    delivery
}

/// The key as a text, another one for each key.
fn text_of_key(key: &[u8]) -> String {
    match str::from_utf8(key) {
        Ok(text) if !text.starts_with(NO_TEXT) => text.to_owned(),
        _ => key.iter().fold(NO_TEXT.to_string(), |mut text, byte| {
            _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

/// What travels beside the body of a dead letter.
pub(crate) fn letter_headers(delivery: &Delivery, endpoint: &str, reason: &str) -> OwnedHeaders {
    let own = delivery.headers.iter().map(|(name, value)| (&**name, &**value));
    let content_type = delivery.content_type.as_deref().map(|value| ("content-type", value));
    let why = [
        ("dead-letter-endpoint", endpoint),
        ("dead-letter-reason", reason),
        ("dead-letter-position", delivery.position.as_deref().unwrap_or_default()),
    ];
    own.chain(content_type)
        .chain(why)
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

#[cfg(test)]
mod tests {
    use super::text_of_key;

    #[test]
    fn each_key_has_another_text() {
        let keys: [&[u8]; 5] = [b"a", b"", b"\xff", "\u{fffd}ff".as_bytes(), b"\xfe"];
        let texts: std::collections::BTreeSet<_> = keys.iter().map(|key| text_of_key(key)).collect();
        assert_eq!(texts.len(), keys.len(), "{texts:?}");
    }
}
