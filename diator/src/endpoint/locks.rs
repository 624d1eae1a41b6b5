use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::subscription::DeliveryTag;

/// Until when each delivery is this process's own, and when its lock has to begin anew.
///
/// A lock is extended when a third of it has gone, and then again each sixth of it until the engine has answered; what is due soon
/// goes along.
#[derive(Debug)]
pub(super) struct Locks {
    /// `None` where a lock lasts as long as the connection.
    period: Option<Duration>,
    extends: bool,
    held: HashMap<DeliveryTag, Lock>,
    queue: BTreeSet<(Instant, DeliveryTag)>,
}

#[derive(Clone, Copy, Debug)]
struct Lock {
    until: Instant,
    /// When there is something to do about it.
    due: Instant,
}

/// What has to be done about locks now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) extend: Vec<DeliveryTag>,
    /// Somebody else may have these by now.
    pub(super) over: Vec<DeliveryTag>,
}

impl Locks {
    pub(super) fn new(period: Option<Duration>, extends: bool) -> Self {
        Self { period, extends, held: HashMap::new(), queue: BTreeSet::new() }
    }

    /// A delivery came whose lock began then.
    pub(super) fn add(&mut self, tag: DeliveryTag, from: Instant) {
        self.begin(tag, from);
    }

    /// The lock began anew, at that moment or later.
    pub(super) fn extended(&mut self, tag: DeliveryTag, from: Instant) {
        if self.held.contains_key(&tag) {
            self.begin(tag, from);
        }
    }

    pub(super) fn remove(&mut self, tag: DeliveryTag) {
        if let Some(lock) = self.held.remove(&tag) {
            self.queue.remove(&(lock.due, tag));
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        let mut found = Due::default();
        let Some(period) = self.period.filter(|_| self.next().is_some_and(|next| next <= now)) else { return found };
        let soon = if self.extends { now + period / 12 } else { now };
        while let Some(&(due, tag)) = self.queue.first()
            && due <= soon
        {
            self.queue.pop_first();
            match self.held.get(&tag) {
                Some(lock) if lock.until <= now => {
                    self.held.remove(&tag);
                    found.over.push(tag);
                }
                Some(_) => found.extend.push(tag),
                None => {}
            }
        }
        for &tag in &found.extend {
            if let Some(lock) = self.held.get_mut(&tag) {
                lock.due = (now + period / 6).min(lock.until);
                self.queue.insert((lock.due, tag));
            }
        }
        found
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|&(due, _)| due)
    }

    fn begin(&mut self, tag: DeliveryTag, from: Instant) {
        let Some(period) = self.period else { return };
        self.remove(tag);
        let until = from + period;
        let due = if self.extends { from + period / 3 } else { until };
        self.held.insert(tag, Lock { until, due });
        self.queue.insert((due, tag));
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
    fn without_extension_a_lock_is_over_after_its_period() {
        let (mut locks, now) = (Locks::new(Some(PERIOD), false), Instant::now());
        locks.add(ONE, now);
        locks.add(TWO, after(1, now));
        assert_eq!(locks.due(after(60, now)).over, [ONE]);
        assert_eq!(locks.due(after(61, now)).over, [TWO]);
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
        locks.remove(ONE);
        locks.extended(ONE, after(1, now));
        assert_eq!((locks.next(), locks.due(after(100, now))), (None, Due::default()));
    }
}
