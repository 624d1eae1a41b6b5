use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use diator::subscription::{ConsumeError, Delivery, Ownership, Taken};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::rebalance::Context;

/// A topic and the number of a partition of it.
pub(crate) type Place = (Arc<str>, i32);

/// What the polling thread, the source and the settling side of one opening have in common.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something can be taken, or the opening is over.
    pub(crate) stirred: Notify,
    /// Whether the thread has left the group.
    pub(crate) left: watch::Sender<bool>,
    pub(crate) max_ahead: usize,
    pub(crate) handover: Duration,
    pub(crate) silence: Duration,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) consumer: Weak<BaseConsumer<Context>>,
    pub(crate) owned: BTreeMap<Place, Owned>,
    /// The partitions of all topics that this opening ever had; the place is the number in [`Ownership`].
    numbers: Vec<Place>,
    epoch: u64,
    pub(crate) last_tag: u64,
    /// What was read and not yielded.
    pub(crate) ready: VecDeque<(Place, i64, Delivery)>,
    /// What was yielded and not settled, oldest first.
    pub(crate) held: BTreeMap<u64, Held>,
    pub(crate) news: VecDeque<Taken>,
    pub(crate) leaving: Option<Leaving>,
    /// Partitions that the endpoint gave up unasked, and where they go on.
    pub(crate) rewinds: Vec<(Place, Option<i64>)>,
    pub(crate) paused: bool,
    /// The source was dropped.
    pub(crate) deaf: bool,
    /// Why the opening is over.
    pub(crate) over: Option<String>,
    /// How much was received from the brokers, and when it became more.
    pub(crate) received: u64,
    pub(crate) heard: Option<Instant>,
}

/// A partition that this opening has.
pub(crate) struct Owned {
    pub(crate) ownership: Ownership,
    pub(crate) leaving: bool,
    /// The offset after the last message that was yielded.
    pub(crate) yielded: Option<i64>,
}

/// A delivery that is not settled.
pub(crate) struct Held {
    pub(crate) ownership: Ownership,
    pub(crate) place: Place,
    pub(crate) offset: i64,
    pub(crate) delivery: Delivery,
    /// Whether it is among the dead letters already.
    pub(crate) buried: bool,
}

/// Partitions that the group wants back.
pub(crate) struct Leaving {
    pub(crate) partitions: TopicPartitionList,
    pub(crate) kept: BTreeSet<Ownership>,
    pub(crate) by: Instant,
}

impl Shared {
    pub(crate) fn new(max_ahead: usize, handover: Duration, silence: Duration) -> Self {
        let state = State { heard: Some(Instant::now()), ..State::default() };
        let left = watch::Sender::new(false);
        Self { state: Mutex::new(state), stirred: Notify::new(), left, max_ahead, handover, silence }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the opening; what it holds cannot be settled any more.
    pub(crate) fn end(&self, why: &str) {
        let mut state = self.state();
        state.over.get_or_insert_with(|| why.to_owned());
        state.ready.clear();
        state.held.clear();
        drop(state);
        self.stirred.notify_waiters();
    }
}

impl State {
    pub(crate) fn silent_for(&self) -> Duration {
        self.heard.map(|heard| heard.elapsed()).unwrap_or_default()
    }

    pub(crate) fn over(&self) -> Option<ConsumeError> {
        self.over.as_ref().map(|why| ConsumeError::closed(format!("kafka opening is over: {why}")))
    }

    /// A partition is this opening's from now on, under a new epoch.
    pub(crate) fn own(&mut self, place: Place, yielded: Option<i64>) {
        self.epoch += 1;
        let known = self.numbers.iter().position(|known| *known == place);
        let number = known.unwrap_or_else(|| {
            self.numbers.push(place.clone());
            self.numbers.len() - 1
        });
        let partition = u32::try_from(number).expect("there are fewer partitions");
        let ownership = Ownership { partition, epoch: self.epoch };
        self.owned.insert(place, Owned { ownership, leaving: false, yielded });
    }

    /// What was not settled of a partition is to come again.
    pub(crate) fn rewind(&mut self, place: &Place) {
        let Some(owned) = self.owned.get_mut(place) else { return };
        owned.leaving = true;
        let held = self.held.values().find(|held| held.ownership == owned.ownership).map(|held| held.offset);
        let ready = self.ready.iter().find(|(ready, ..)| ready == place).map(|(_, offset, _)| *offset);
        self.rewinds.push((place.clone(), held.or(ready).or(owned.yielded)));
        self.ready.retain(|(ready, ..)| ready != place);
    }

    /// Nothing more is yielded of these partitions.
    pub(crate) fn stop_yielding(&mut self, partitions: &TopicPartitionList) -> Vec<Ownership> {
        let places: Vec<_> = places(partitions).collect();
        self.ready.retain(|(place, ..)| !places.contains(place));
        self.rewinds.retain(|(place, _)| !places.contains(place));
        let mut owners = Vec::new();
        for place in places {
            if let Some(owned) = self.owned.get_mut(&place) {
                owned.leaving = true;
                owners.push(owned.ownership);
            }
        }
        owners
    }

    /// The partitions are others' from now on, and so is what is held of them.
    pub(crate) fn give_up(&mut self, partitions: &TopicPartitionList) {
        for place in places(partitions) {
            if let Some(owned) = self.owned.remove(&place) {
                self.held.retain(|_, held| held.ownership != owned.ownership);
            }
        }
    }

    /// What this opening has, as librdkafka wants it.
    pub(crate) fn partitions(&self) -> TopicPartitionList {
        let mut partitions = TopicPartitionList::new();
        for (topic, partition) in self.owned.keys() {
            partitions.add_partition(topic, *partition);
        }
        partitions
    }
}

pub(crate) fn places(partitions: &TopicPartitionList) -> impl Iterator<Item = Place> {
    let place = |(topic, partition): (String, i32)| (topic.into(), partition);
    partitions.to_topic_map().into_keys().map(place).collect::<BTreeSet<Place>>().into_iter()
}
