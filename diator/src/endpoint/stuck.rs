use tokio::time::Instant;

use super::tag_map::TagMap;
use crate::subscription::DeliveryTag;

/// Deliveries in hand that no count of failures brings to an end, each with the time since when.
///
/// Their failures are not counted, or the attempt log or the delivery store does not take them: they can stay for ever, and no row
/// and no engine shows how old they are.
#[derive(Debug, Default)]
pub(super) struct Stuck(TagMap<Instant>);

impl Stuck {
    /// It is stuck from now on, if it is not already.
    pub(super) fn add(&mut self, tag: DeliveryTag, now: Instant) {
        self.0.entry(tag).or_insert(now);
    }

    pub(super) fn remove(&mut self, tag: DeliveryTag) {
        self.0.remove(&tag);
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }
}
