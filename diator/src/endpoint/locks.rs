use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::tag_map::TagMap;
use crate::subscription::DeliveryTag;

/// Until when each delivery is this process's own, and when its lock has to begin anew.
///
/// A lock is extended when a third of it has gone, and then again each sixth of it until the engine has answered; what is due soon
/// goes along. Where locks cannot be extended, a delivery goes back if it has not begun when two thirds of its lock have gone.
#[derive(Debug)]
pub(super) struct Locks {
    /// `None` where a lock lasts as long as the connection.
    period: Option<Duration>,
    extends: bool,
    held: TagMap<Lock>,
    /// By the moment at which there is something to do about them: what came together is due together.
    queue: BTreeMap<Instant, Group>,
}

#[derive(Clone, Copy, Debug)]
struct Lock {
    until: Instant,
    /// When there is something to do about it.
    due: Instant,
}

#[derive(Debug, Default)]
struct Group {
    /// It may hold some that are gone, or due at another time.
    tags: Vec<DeliveryTag>,
    /// How many of them are due at this time still.
    due: usize,
}

/// What has to be done about locks now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) extend: Vec<DeliveryTag>,
    /// Two thirds of their lock have gone, and it cannot be extended.
    pub(super) stale: Vec<DeliveryTag>,
    /// Somebody else may have these by now.
    pub(super) over: Vec<DeliveryTag>,
}

impl Locks {
    pub(super) fn new(period: Option<Duration>, extends: bool) -> Self {
        Self { period, extends, held: TagMap::default(), queue: BTreeMap::new() }
    }

    /// A delivery came whose lock began then.
    pub(super) fn add(&mut self, tag: DeliveryTag, from: Instant) {
        let Some(period) = self.period else { return };
        // A lock that no clock can count to the end of lasts for ever.
        let Some(until) = from.checked_add(period) else { return };
        let due = from + if self.extends { period / 3 } else { period / 3 * 2 };
        self.enqueue(tag, Lock { until, due });
    }

    /// The lock began anew, at that moment or later.
    pub(super) fn extended(&mut self, tag: DeliveryTag, from: Instant) {
        if self.held.contains_key(&tag) {
            self.remove(tag);
            self.add(tag, from);
        }
    }

    pub(super) fn remove(&mut self, tag: DeliveryTag) {
        let Some(lock) = self.held.remove(&tag) else { return };
        if let Some(group) = self.queue.get_mut(&lock.due) {
            group.due -= 1;
            if group.due == 0 {
                self.queue.remove(&lock.due);
            }
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        let mut found = Due::default();
        let Some(period) = self.period.filter(|_| self.next().is_some_and(|next| next <= now)) else { return found };
        let soon = if self.extends { now + period / 12 } else { now };
        while let Some(first) = self.queue.first_entry()
            && *first.key() <= soon
        {
            let (due, group) = first.remove_entry();
            for tag in group.tags {
                match self.held.get(&tag) {
                    Some(lock) if lock.due != due => {}
                    Some(lock) if lock.until <= now => {
                        self.held.remove(&tag);
                        found.over.push(tag);
                    }
                    Some(_) if self.extends => found.extend.push(tag),
                    Some(&Lock { until, .. }) => {
                        found.stale.push(tag);
                        self.enqueue(tag, Lock { until, due: until });
                    }
                    None => {}
                }
            }
        }
        found.extend.sort_unstable();
        found.extend.dedup();
        for &tag in &found.extend {
            if let Some(&Lock { until, .. }) = self.held.get(&tag) {
                self.enqueue(tag, Lock { until, due: (now + period / 6).min(until) });
            }
        }
        found
    }

    /// Whether the delivery cannot be held until then: its lock cannot be extended, and two thirds of it will have gone.
    pub(super) fn is_stale_by(&self, tag: DeliveryTag, due: Instant) -> bool {
        let Some(period) = self.period.filter(|_| !self.extends) else { return false };
        self.held.get(&tag).is_some_and(|lock| due + period / 3 >= lock.until)
    }

    /// Until when it is this process's own; `None` if it has no lock, or one that lasts for ever.
    pub(super) fn until(&self, tag: DeliveryTag) -> Option<Instant> {
        self.held.get(&tag).map(|lock| lock.until)
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|(&due, _)| due)
    }

    fn enqueue(&mut self, tag: DeliveryTag, lock: Lock) {
        self.held.insert(tag, lock);
        let group = self.queue.entry(lock.due).or_default();
        group.tags.push(tag);
        group.due += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);
    const ONE: DeliveryTag = DeliveryTag(1);
    const TWO: DeliveryTag = DeliveryTag(2);

    fn after(seconds: u64, now: Instant) -> Instant {
        now + Duration::from_secs(seconds)
    }

    #[test]
    fn a_lock_is_extended_at_a_third_of_it_and_others_go_along() {
        let (mut locks, now) = (Locks::new(Some(PERIOD), true), Instant::now());
        locks.add(ONE, now);
        locks.add(TWO, after(4, now));
        assert_eq!(locks.next(), Some(after(20, now)));
        assert_eq!(locks.due(after(19, now)), Due::default());
        assert_eq!(locks.due(after(20, now)).extend, [ONE, TWO]);
        assert_eq!(locks.next(), Some(after(30, now)));
        locks.extended(ONE, after(20, now));
        locks.extended(TWO, after(20, now));
        assert_eq!(locks.next(), Some(after(40, now)));
    }

    #[test]
    fn a_lock_that_no_clock_can_add_lasts_for_ever() {
        for extends in [true, false] {
            let (mut locks, now) = (Locks::new(Some(Duration::MAX), extends), Instant::now());
            locks.add(ONE, now);
            assert_eq!((locks.next(), locks.due(after(1_000_000, now))), (None, Due::default()));
            locks.remove(ONE);
        }
    }

    #[test]
    fn what_is_not_extended_is_tried_again_and_over_in_the_end() {
        let (mut locks, now) = (Locks::new(Some(PERIOD), true), Instant::now());
        locks.add(ONE, now);
        let tried: Vec<_> = (0..60).filter(|&second| !locks.due(after(second, now)).extend.is_empty()).collect();
        assert_eq!(tried, [20, 30, 40, 50]);
        let due = locks.due(after(60, now));
        assert_eq!((due.extend, due.over), (Vec::new(), vec![ONE]));
        assert_eq!(locks.next(), None);
    }

    #[test]
    fn without_extension_a_lock_is_stale_after_two_thirds_and_over_after_its_period() {
        let (mut locks, now) = (Locks::new(Some(PERIOD), false), Instant::now());
        locks.add(ONE, now);
        locks.add(TWO, after(1, now));
        assert!(!locks.is_stale_by(ONE, after(39, now)) && locks.is_stale_by(ONE, after(40, now)));
        assert_eq!(locks.due(after(40, now)), Due { stale: vec![ONE], ..Due::default() });
        assert_eq!(locks.due(after(60, now)), Due { stale: vec![TWO], over: vec![ONE], ..Due::default() });
        assert_eq!(locks.due(after(61, now)), Due { over: vec![TWO], ..Due::default() });
    }

    #[test]
    fn a_lock_that_lasts_needs_nothing() {
        let (mut locks, now) = (Locks::new(None, false), Instant::now());
        locks.add(ONE, now);
        assert_eq!((locks.next(), locks.due(after(3_600, now))), (None, Due::default()));
    }

    #[test]
    fn what_is_settled_is_not_extended() {
        let (mut locks, now) = (Locks::new(Some(PERIOD), true), Instant::now());
        locks.add(ONE, now);
        locks.add(TWO, now);
        locks.remove(ONE);
        locks.extended(ONE, after(1, now));
        assert_eq!(locks.due(after(20, now)).extend, [TWO]);
        locks.remove(TWO);
        assert_eq!((locks.next(), locks.due(after(100, now))), (None, Due::default()));
        assert!(locks.queue.is_empty(), "nothing is kept of what is gone");
    }
}
