use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::entry::Entry;
use crate::subscription::{Delivery, DeliveryTag, Ownership, Settled, Taken};

/// One opening: what it holds, and what it has to learn.
pub(super) struct Member {
    pub(super) topics: BTreeSet<Arc<str>>,
    pub(super) held: BTreeMap<u64, Held>,
    pub(super) connection: Connection,
    news: VecDeque<Taken>,
    next_tag: u64,
    lost: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It gets deliveries.
    Reads,
    /// Its source was dropped; it settles.
    Settles,
    /// It was cut, or crashed: what it holds goes back when the locks are over.
    Over,
}

/// A delivery that an opening has, until it settles it.
pub(super) struct Held {
    pub(super) entry: Entry,
    pub(super) partition: usize,
    /// Until when it is locked.
    pub(super) until: Option<Instant>,
}

impl Member {
    pub(super) fn new(topics: BTreeSet<Arc<str>>) -> Self {
        Self {
            topics,
            held: BTreeMap::new(),
            connection: Connection::Reads,
            news: VecDeque::new(),
            next_tag: 0,
            lost: BTreeSet::new(),
        }
    }

    pub(super) fn hold(&mut self, mut held: Held, received: Instant, counts: bool) -> Delivery {
        let tag = self.next_tag;
        self.next_tag += 1;
        let delivery = held.entry.deliver(DeliveryTag(tag), received, counts);
        held.entry.came = held.entry.came.saturating_add(1);
        self.held.insert(tag, held);
        delivery
    }

    /// Takes from it what it has lost.
    pub(super) fn lose(&mut self, is_lost: impl Fn(&Held) -> bool) -> Vec<Held> {
        let lost: Vec<_> = self.held.iter().filter(|(_, held)| is_lost(held)).map(|(tag, _)| *tag).collect();
        self.lost.extend(&lost);
        lost.iter().filter_map(|tag| self.held.remove(tag)).collect()
    }

    /// The answer for a delivery that is not held.
    pub(super) fn answer_to(&self, tag: DeliveryTag) -> Settled {
        let settled = tag.0 < self.next_tag && !self.lost.contains(&tag.0);
        if settled { Settled::Done } else { Settled::LockLost }
    }

    pub(super) fn tell(&mut self, news: Taken) {
        self.news.push_back(news);
    }

    pub(super) fn news(&mut self) -> Option<Taken> {
        self.news.pop_front()
    }

    /// Whether an earlier delivery of the same partition is held.
    pub(super) fn holds_before(&self, tag: DeliveryTag, partition: usize) -> bool {
        self.held.range(..tag.0).any(|(_, held)| held.partition == partition)
    }
}

/// Sorts what many are asked for by whom.
pub(super) fn by_member(asked: Vec<(u64, Ownership)>) -> BTreeMap<u64, Vec<Ownership>> {
    asked.into_iter().fold(BTreeMap::new(), |mut sorted, (member, ownership)| {
        sorted.entry(member).or_insert_with(Vec::new).push(ownership);
        sorted
    })
}
