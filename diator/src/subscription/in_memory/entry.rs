use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::time::Instant;
use uuid::fmt::Hyphenated;

use crate::broker::{Kept, OutboundMessage};
use crate::subscription::{Delivery, DeliveryTag, Redelivered};

/// A message that a group has not settled.
pub(super) struct Entry {
    pub(super) topic: Arc<str>,
    /// How often it was delivered.
    pub(super) came: u32,
    /// How many of those count against the limit.
    pub(super) counted: u32,
    /// How many failures its last retry carried along.
    pub(super) failures: u32,
    kept: Arc<Kept>,
}

impl Entry {
    pub(super) fn new(topic: Arc<str>, kept: Arc<Kept>) -> Self {
        Self { topic, came: 0, counted: 0, failures: 0, kept }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.kept.sequence
    }

    pub(super) fn published(&self) -> Instant {
        self.kept.at
    }

    pub(super) fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    pub(super) fn message(&self) -> &OutboundMessage {
        &self.kept.message
    }

    /// In which of so many partitions it is; messages of one key are in one.
    pub(super) fn partition(&self, partitions: usize) -> usize {
        let place = self.kept.message.key.as_ref().map_or(self.sequence(), |key| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            hasher.finish()
        });
        usize::try_from(place % partitions as u64).expect("it is less than their number")
    }

    /// What a source yields, encoded as it was published.
    pub(super) fn deliver(&self, tag: DeliveryTag, received: Instant, counts: bool) -> Delivery {
        let message = self.message();
        let redelivered = if counts { Redelivered::Times(self.came) } else { Redelivered::Unknown };
        let mut delivery = Delivery::new(tag, self.topic.clone(), message.body.clone())
            .with_position(self.sequence().to_string())
            .with_content_type(&*message.content_type)
            .with_redelivered(redelivered)
            .with_failures(self.failures)
            .with_received(received);
        delivery.key = message.key.as_deref().map(Into::into);
        let mut text = [0; Hyphenated::LENGTH];
        for (name, id) in [("correlation_id", message.correlation_id), ("causation_id", message.causation_id)] {
            if let Some(id) = id {
                delivery = delivery.with_header(name, &*id.hyphenated().encode_lower(&mut text));
            }
        }
        if let Some(traceparent) = message.traceparent.as_deref() {
            delivery = delivery.with_header("traceparent", traceparent);
        }
        message.headers.iter().fold(delivery, |delivery, (name, value)| delivery.with_header(name, value))
    }
}
