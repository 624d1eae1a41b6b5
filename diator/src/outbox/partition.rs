use crate::broker::OutboundMessage;

/// How many partitions an outbox has.
///
/// At most this many relays can work at the same time. The number never changes, because a store keeps the partition with each row.
pub const PARTITIONS: u16 = 64;

/// Computes the partition of a message from its topic and key.
///
/// Messages with the same topic and key have the same partition. The id decides for a message without a key. The result is the same in
/// every process and every version.
///
/// # Example
///
/// ```
/// use diator::broker::{MessageType, OutboundMessage};
/// use diator::outbox::partition_of;
///
/// use uuid::Uuid;
///
/// let message = |id| {
///     OutboundMessage::new(id, MessageType::Notification, "OrderPlaced", *b"{}").with_topic("orders").with_key("42")
/// };
/// assert_eq!(partition_of(&message(Uuid::now_v7())), partition_of(&message(Uuid::now_v7())));
/// ```
///
/// # Source
///
/// The hash FNV-1a of Fowler, Noll and Vo, with 64 bits, and the multiplicative method of Knuth.
#[must_use]
pub fn partition_of(message: &OutboundMessage) -> u16 {
    let hash = match &message.key {
        Some(key) => {
            let topic = message.topic.as_deref().unwrap_or_default();
            // A byte that no text has keeps `a` + `bc` apart from `ab` + `c`.
            fnv1a(topic.bytes().chain([0xff]).chain(key.bytes()))
        }
        None => fnv1a(message.id.into_bytes()),
    };
    // The last bytes reach only some bits of the hash: a multiplication by the golden ratio brings all of them to the top.
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PARTITIONS.ilog2())) as u16
}

fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;
    use crate::broker::MessageType;

    fn message(id: u128) -> OutboundMessage {
        OutboundMessage::new(Uuid::from_u128(id), MessageType::Notification, "A", *b"{}")
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_key_has_one_partition_in_each_topic() {
        let of = |id, topic: &'static str, key: &str| partition_of(&message(id).with_topic(topic).with_key(key));
        assert_eq!(of(1, "orders", "42"), of(2, "orders", "42"));
        assert_ne!(of(1, "orders", "42"), of(1, "order", "s42"));
    }

    #[test]
    fn messages_are_spread_over_all_partitions() {
        let keys: HashSet<_> = (0..1_000).map(|key| partition_of(&message(1).with_key(key.to_string()))).collect();
        let ids: HashSet<_> = (0..1_000).map(|id| partition_of(&message(id))).collect();
        assert_eq!((keys.len(), ids.len()), (PARTITIONS.into(), PARTITIONS.into()));
    }
}
