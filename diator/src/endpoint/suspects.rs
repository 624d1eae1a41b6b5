use std::collections::{BTreeMap, VecDeque};

use crate::subscription::{DeliveryTag, Ownership, Redelivered};

/// Which deliveries may have ended a process before: they run one at a time, so that the next end tells which it was.
#[derive(Debug)]
pub(super) struct Suspects {
    running: Option<DeliveryTag>,
    waiting: VecDeque<DeliveryTag>,
    /// How many came of each owner, where the engine does not say what it delivers again.
    seen: BTreeMap<Option<Ownership>, usize>,
    max_ahead: usize,
}

impl Suspects {
    pub(super) fn new(max_ahead: usize) -> Self {
        Self { running: None, waiting: VecDeque::new(), seen: BTreeMap::new(), max_ahead }
    }

    /// Whether this delivery is one of them.
    ///
    /// Where the engine does not say, the first deliveries of an owner are: no process holds more than `max_ahead` of it when it ends.
    pub(super) fn is_one(&mut self, owner: Option<Ownership>, redelivered: Redelivered) -> bool {
        if redelivered != Redelivered::Unknown {
            return redelivered.perhaps();
        }
        let seen = self.seen.entry(owner).or_default();
        *seen += 1;
        *seen <= self.max_ahead
    }

    /// Whether it may begin; otherwise it waits here.
    pub(super) fn begin(&mut self, tag: DeliveryTag) -> bool {
        if self.running.is_some() {
            self.waiting.push_back(tag);
            return false;
        }
        self.running = Some(tag);
        true
    }

    /// The next that waited, if none runs.
    pub(super) fn next(&mut self) -> Option<DeliveryTag> {
        if self.running.is_some() { None } else { self.waiting.pop_front() }
    }

    /// It no longer runs, or waits.
    pub(super) fn remove(&mut self, tag: DeliveryTag) {
        if self.running == Some(tag) {
            self.running = None;
        } else {
            self.waiting.retain(|&other| other != tag);
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_in_their_order() {
        let mut suspects = Suspects::new(10);
        assert!(suspects.begin(DeliveryTag(1)));
        assert!(!suspects.begin(DeliveryTag(2)) && !suspects.begin(DeliveryTag(3)) && !suspects.begin(DeliveryTag(4)));
        assert_eq!((suspects.next(), suspects.waiting()), (None, 3));
        suspects.remove(DeliveryTag(2));
        suspects.remove(DeliveryTag(1));
        assert_eq!(suspects.next(), Some(DeliveryTag(3)));
        assert!(suspects.begin(DeliveryTag(3)));
        assert_eq!(suspects.next(), None);
    }

    #[test]
    fn where_the_engine_does_not_say_the_first_of_each_owner_are_suspects() {
        let mut suspects = Suspects::new(2);
        let owner = |partition| Some(Ownership { partition, epoch: 1 });
        let of_one: Vec<_> = (0..3).map(|_| suspects.is_one(owner(1), Redelivered::Unknown)).collect();
        assert_eq!(of_one, [true, true, false]);
        assert!(suspects.is_one(owner(2), Redelivered::Unknown));
        assert!(suspects.is_one(owner(1), Redelivered::Yes) && suspects.is_one(None, Redelivered::Times(1)));
        assert!(!suspects.is_one(owner(2), Redelivered::No) && !suspects.is_one(None, Redelivered::Times(0)));
    }
}
