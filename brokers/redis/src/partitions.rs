//! Topics that are ordered by key: a stream for each partition, `orders.0`, `orders.1` and so on.
//!
//! A group of a stream has no order across its consumers. So the messages of a key all go to one stream, which one consumer at a time
//! reads. Who publishes and who consumes must mean the same number of streams: the first one to come writes it down.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use diator::broker::OutboundMessage;
use redis::{Pipeline, Value};

use super::connection::{Lane, SharedConnection};
use super::deadline::Deadline;
use super::error::Failure;

/// How many streams a topic has, and of which topics the server agrees.
#[derive(Debug)]
pub(super) struct Partitions {
    /// `None` if its stream is named like itself.
    count: Option<NonZeroU32>,
    agreed: RwLock<HashSet<Arc<str>>>,
}

impl Partitions {
    pub(super) fn new(count: Option<NonZeroU32>) -> Self {
        Self { count, agreed: RwLock::default() }
    }

    /// Writes the number down for each topic of which the server has none, and answers what is wrong with the others.
    ///
    /// Who has no partitions asks, too: what goes to `orders` is never seen by those who read `orders.0`.
    pub(super) async fn disagreements<'t>(
        &self,
        link: &SharedConnection,
        topics: impl Iterator<Item = &'t str>,
        deadline: Deadline,
    ) -> Result<Vec<(&'t str, String)>, Failure> {
        let new: HashSet<_> = {
            let agreed = self.agreed.read().unwrap_or_else(PoisonError::into_inner);
            topics.filter(|topic| !agreed.contains(*topic)).collect()
        };
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = link.ready(Lane::Shared, deadline).await?.pipeline(deadline, &self.question(&new)).await?;
        // The last ones are those of `GET`.
        let stored = answers.split_off(answers.len().saturating_sub(new.len()));
        let mut wrong = Vec::new();
        for (topic, stored) in new.into_iter().zip(stored) {
            match stored {
                Value::BulkString(stored)
                    if self.count.map(|count| count.to_string().into_bytes()) != Some(stored.clone()) =>
                {
                    wrong.push((topic, self.disagreement(topic, &String::from_utf8_lossy(&stored))));
                }
                // It does not know now, and is asked again.
                Value::ServerError(error) if error.code() != "NOPERM" => {}
                _ => _ = self.agreed.write().unwrap_or_else(PoisonError::into_inner).insert(topic.into()),
            }
        }
        Ok(wrong)
    }

    fn question(&self, topics: &HashSet<&str>) -> Pipeline {
        let mut pipeline = Pipeline::new();
        if let Some(count) = self.count {
            topics.iter().for_each(|topic| _ = pipeline.cmd("SET").arg(key(topic)).arg(count.get()).arg("NX"));
        }
        topics.iter().for_each(|topic| _ = pipeline.cmd("GET").arg(key(topic)));
        pipeline
    }

    fn disagreement(&self, topic: &str, stored: &str) -> String {
        let count = self.count.map_or("none".to_owned(), |count| count.to_string());
        let (topic, key) = (topic.escape_debug(), key(topic));
        let key = key.escape_debug();
        format!(
            "the topic `{topic}` has {stored} partitions at redis, and the configuration says {count}: to change it, drain the streams, \
             and delete the key `{key}`"
        )
    }
}

/// Where the number stands.
fn key(topic: &str) -> String {
    format!("diator:partitions:{topic}")
}

/// The stream of a partition.
pub(super) fn stream(topic: &str, partition: u32) -> String {
    format!("{topic}.{partition}")
}

/// The partition of a message: that of its key, or else of its id, which spreads those without one.
pub(super) fn partition_of(message: &OutboundMessage, count: NonZeroU32) -> u32 {
    let hash = match &message.key {
        Some(key) => fnv_1a(key.as_bytes()),
        None => fnv_1a(message.id.as_bytes()),
    };
    // It is less than the count, which is a u32.
    u32::try_from(hash.checked_rem(count.get().into()).unwrap_or_default()).unwrap_or_default()
}

/// FNV-1a of 64 bits. It must not change: the messages of a key would go to two streams.
pub(super) fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use diator::broker::MessageType;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // The vectors of the authors.
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn keys_stay_and_spread() {
        let eight = NonZeroU32::new(8).expect("it is more than zero");
        let of = |id: u128, key: Option<String>| {
            let message = OutboundMessage::new(Uuid::from_u128(id), MessageType::Notification, "A", *b"");
            partition_of(
                &match key {
                    Some(key) => message.with_key(key),
                    None => message,
                },
                eight,
            )
        };
        assert_eq!(of(1, Some("a".to_owned())), of(2, Some("a".to_owned())));
        let with_keys: HashSet<_> = (0..100).map(|number| of(1, Some(number.to_string()))).collect();
        let without: HashSet<_> = (0..100).map(|id| of(id, None)).collect();
        assert_eq!((with_keys.len(), without.len()), (8, 8));
    }
}
