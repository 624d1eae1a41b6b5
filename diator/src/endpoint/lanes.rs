use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::tag_map::TagMap;
use crate::subscription::{DeliveryTag, Order};

/// Which delivery may begin.
///
/// Without an order, each at once. In order per key, the first of its key: while that runs or rests, the others of its key wait
/// behind it, and other keys go on.
///
/// # Guarantees
///
/// What comes first begins first, of those that may; the order depends on nothing but the calls.
#[derive(Debug)]
pub(super) struct Lanes {
    order: Order,
    /// In this order they begin. It may hold some that are gone, or that rest: `places` decides.
    queue: VecDeque<DeliveryTag>,
    resting: BTreeSet<(Instant, DeliveryTag)>,
    places: TagMap<Place>,
    /// By their numbers: a key is looked up when a delivery comes, and when none of it is left.
    lanes: BTreeMap<u64, Lane>,
    numbers: HashMap<Arc<LaneKey>, u64>,
    last_number: u64,
    ready: usize,
}

/// What deliveries that are handled one after the other have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneKey {
    pub(super) topic: Arc<str>,
    pub(super) key: Box<str>,
}

#[derive(Debug)]
struct Lane {
    key: Arc<LaneKey>,
    head: DeliveryTag,
    behind: VecDeque<DeliveryTag>,
}

#[derive(Debug)]
struct Place {
    lane: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Others of its key come first.
    Behind,
    Ready,
    Begun,
    Resting(Instant),
}

impl Lanes {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            queue: VecDeque::new(),
            resting: BTreeSet::new(),
            places: TagMap::default(),
            lanes: BTreeMap::new(),
            numbers: HashMap::new(),
            last_number: 0,
            ready: 0,
        }
    }

    /// Takes a delivery in; one without a key has no order.
    pub(super) fn push(&mut self, tag: DeliveryTag, key: Option<LaneKey>) {
        let Some(key) = key.filter(|_| self.order == Order::PerKey) else {
            self.places.insert(tag, Place { lane: None, state: State::Behind });
            self.make_ready(tag);
            return;
        };
        match self.numbers.entry(Arc::new(key)) {
            Entry::Occupied(lane) => {
                let lane = *lane.get();
                self.places.insert(tag, Place { lane: Some(lane), state: State::Behind });
                self.lanes.entry(lane).and_modify(|lane| lane.behind.push_back(tag));
            }
            Entry::Vacant(none) => {
                self.last_number += 1;
                let lane = Lane { key: none.key().clone(), head: tag, behind: VecDeque::new() };
                self.lanes.insert(self.last_number, lane);
                none.insert(self.last_number);
                self.places.insert(tag, Place { lane: Some(self.last_number), state: State::Behind });
                self.make_ready(tag);
            }
        }
    }

    /// The next that may begin; it has begun then.
    pub(super) fn next(&mut self, now: Instant) -> Option<DeliveryTag> {
        while let Some(&(due, tag)) = self.resting.first()
            && due <= now
        {
            self.resting.pop_first();
            self.make_ready(tag);
        }
        while let Some(tag) = self.queue.pop_front() {
            if let Some(place) = self.places.get_mut(&tag)
                && place.state == State::Ready
            {
                place.state = State::Begun;
                self.ready -= 1;
                return Some(tag);
            }
        }
        None
    }

    /// One that has begun may begin again from then on.
    pub(super) fn rest(&mut self, tag: DeliveryTag, until: Instant) {
        if let Some(place) = self.places.get_mut(&tag) {
            place.state = State::Resting(until);
            self.resting.insert((until, tag));
        }
    }

    /// One that has begun may begin again, after all that are ready now.
    pub(super) fn put_back(&mut self, tag: DeliveryTag) {
        if self.places.contains_key(&tag) {
            self.make_ready(tag);
        }
    }

    /// One that has begun has not, and is the first that may.
    pub(super) fn call_back(&mut self, tag: DeliveryTag) {
        if let Some(place) = self.places.get_mut(&tag) {
            place.state = State::Ready;
            self.ready += 1;
            self.queue.push_front(tag);
        }
    }

    /// A delivery is gone, whatever it was about to do; the next of its key may begin.
    pub(super) fn remove(&mut self, tag: DeliveryTag) {
        let Some(place) = self.places.remove(&tag) else { return };
        match place.state {
            State::Ready => self.ready -= 1,
            State::Resting(until) => {
                self.resting.remove(&(until, tag));
            }
            State::Behind | State::Begun => {}
        }
        let Some(number) = place.lane else { return };
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        if lane.head != tag {
            lane.behind.retain(|&other| other != tag);
            return;
        }
        match lane.behind.pop_front() {
            Some(next) => {
                lane.head = next;
                self.make_ready(next);
            }
            None => {
                self.numbers.remove(&lane.key);
                self.lanes.remove(&number);
            }
        }
    }

    /// Those of its key that come after it.
    pub(super) fn behind(&self, tag: DeliveryTag) -> Vec<DeliveryTag> {
        let lane = self.places.get(&tag).and_then(|place| self.lanes.get(&place.lane?));
        let Some(lane) = lane else { return Vec::new() };
        let all = std::iter::once(lane.head).chain(lane.behind.iter().copied());
        all.skip_while(|&other| other != tag).skip(1).collect()
    }

    /// The first of its key; itself, where it has no order.
    pub(super) fn head(&self, tag: DeliveryTag) -> DeliveryTag {
        let lane = self.places.get(&tag).and_then(|place| self.lanes.get(&place.lane?));
        lane.map_or(tag, |lane| lane.head)
    }

    /// Whether it is handled in the order of its key.
    pub(super) fn has_order(&self, tag: DeliveryTag) -> bool {
        self.places.get(&tag).is_some_and(|place| place.lane.is_some())
    }

    /// How many may begin now.
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    /// How many wait for their time.
    pub(super) fn resting(&self) -> usize {
        self.resting.len()
    }

    /// When the next has rested.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.resting.first().map(|&(due, _)| due)
    }

    fn make_ready(&mut self, tag: DeliveryTag) {
        if let Some(place) = self.places.get_mut(&tag) {
            place.state = State::Ready;
            self.ready += 1;
            self.queue.push_back(tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lanes(order: Order, keys: &[&str]) -> Lanes {
        let mut lanes = Lanes::new(order);
        for (number, key) in (0..).zip(keys) {
            let key = (!key.is_empty()).then(|| LaneKey { topic: "orders".into(), key: (*key).into() });
            lanes.push(DeliveryTag(number), key);
        }
        lanes
    }

    fn all_that_may_begin(lanes: &mut Lanes, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| lanes.next(now)).map(|tag| tag.0).collect()
    }

    #[test]
    fn without_an_order_each_begins_at_once() {
        let mut lanes = lanes(Order::None, &["a", "a", "", "b"]);
        assert_eq!(lanes.ready(), 4);
        assert_eq!(all_that_may_begin(&mut lanes, Instant::now()), [0, 1, 2, 3]);
        assert_eq!(lanes.ready(), 0);
    }

    #[test]
    fn one_of_each_key_begins_and_those_without_a_key_do() {
        let now = Instant::now();
        let mut lanes = lanes(Order::PerKey, &["a", "a", "", "b", "", "a"]);
        assert_eq!(all_that_may_begin(&mut lanes, now), [0, 2, 3, 4]);
        lanes.remove(DeliveryTag(0));
        assert_eq!(all_that_may_begin(&mut lanes, now), [1]);
        assert_eq!(lanes.behind(DeliveryTag(1)), [DeliveryTag(5)]);
        lanes.remove(DeliveryTag(1));
        assert_eq!(all_that_may_begin(&mut lanes, now), [5]);
        lanes.remove(DeliveryTag(5));
        lanes.remove(DeliveryTag(3));
        assert!(lanes.lanes.is_empty() && lanes.numbers.is_empty());
    }

    #[test]
    fn the_same_key_of_another_topic_is_another_lane() {
        let mut lanes = lanes(Order::PerKey, &["a"]);
        lanes.push(DeliveryTag(9), Some(LaneKey { topic: "users".into(), key: "a".into() }));
        assert_eq!(all_that_may_begin(&mut lanes, Instant::now()), [0, 9]);
    }

    #[test]
    fn while_one_rests_those_behind_it_wait_and_other_keys_go_on() {
        let now = Instant::now();
        let due = now + Duration::from_secs(1);
        let mut lanes = lanes(Order::PerKey, &["a", "a", "b"]);
        assert_eq!(all_that_may_begin(&mut lanes, now), [0, 2]);
        lanes.rest(DeliveryTag(0), due);
        lanes.remove(DeliveryTag(2));
        assert_eq!((lanes.next(now), lanes.next_due(), lanes.resting()), (None, Some(due), 1));
        assert_eq!(all_that_may_begin(&mut lanes, due), [0]);
        lanes.remove(DeliveryTag(0));
        assert_eq!(all_that_may_begin(&mut lanes, due), [1]);
    }

    #[test]
    fn whoever_is_gone_does_not_begin() {
        let now = Instant::now();
        let mut lanes = lanes(Order::PerKey, &["a", "a", "a", "b"]);
        lanes.remove(DeliveryTag(1));
        lanes.remove(DeliveryTag(3));
        assert_eq!(all_that_may_begin(&mut lanes, now), [0]);
        lanes.rest(DeliveryTag(0), now + Duration::from_secs(1));
        lanes.remove(DeliveryTag(0));
        assert_eq!((lanes.resting(), all_that_may_begin(&mut lanes, now)), (0, vec![2]));
        lanes.remove(DeliveryTag(2));
        lanes.remove(DeliveryTag(2));
        assert!(lanes.places.is_empty() && lanes.lanes.is_empty());
    }

    #[test]
    fn what_is_put_back_comes_after_the_others() {
        let now = Instant::now();
        let mut lanes = lanes(Order::PerKey, &["a", "b", "a"]);
        assert_eq!(lanes.next(now), Some(DeliveryTag(0)));
        lanes.put_back(DeliveryTag(0));
        assert_eq!(all_that_may_begin(&mut lanes, now), [1, 0]);
    }

    #[test]
    fn what_is_called_back_is_the_first_again() {
        let now = Instant::now();
        let mut lanes = lanes(Order::PerKey, &["a", "b", "c"]);
        assert_eq!((lanes.next(now), lanes.next(now)), (Some(DeliveryTag(0)), Some(DeliveryTag(1))));
        lanes.call_back(DeliveryTag(1));
        lanes.call_back(DeliveryTag(0));
        assert_eq!((lanes.ready(), all_that_may_begin(&mut lanes, now)), (3, vec![0, 1, 2]));
    }
}
