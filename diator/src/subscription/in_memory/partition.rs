use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::entry::Entry;
use crate::subscription::Ownership;

/// What waits in one partition, and whose it is.
#[derive(Default)]
pub(super) struct Partition {
    pub(super) waiting: BTreeMap<u64, Entry>,
    pub(super) owner: Owner,
    pub(super) epoch: u64,
    /// Whether the message that waits longest is passed over, where no order is promised.
    passes_over: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Owner {
    #[default]
    Nobody,
    /// It reads, and settles.
    Member(u64),
    /// It was asked to give the partition up, and does so by then.
    Leaving { member: u64, by: Instant },
    /// Its connection is over, but its lock is not.
    Gone { member: u64, until: Instant },
}

impl Owner {
    pub(super) fn member(self) -> Option<u64> {
        match self {
            Self::Nobody => None,
            Self::Member(member) | Self::Leaving { member, .. } | Self::Gone { member, .. } => Some(member),
        }
    }

    pub(super) fn until(self) -> Option<Instant> {
        match self {
            Self::Nobody | Self::Member(_) => None,
            Self::Leaving { by: until, .. } | Self::Gone { until, .. } => Some(until),
        }
    }
}

impl Partition {
    /// An empty one, whose owners come after those of this epoch.
    pub(super) fn after(epoch: u64) -> Self {
        Self { epoch, ..Self::default() }
    }

    pub(super) fn assign(&mut self, member: u64) {
        self.owner = Owner::Member(member);
        self.epoch += 1;
    }

    pub(super) fn ownership(&self, number: usize) -> Ownership {
        Ownership { partition: u32::try_from(number).expect("there are few partitions"), epoch: self.epoch }
    }

    /// The place of the message that waits longest, among those of these topics.
    pub(super) fn first(&self, topics: &BTreeSet<Arc<str>>) -> Option<u64> {
        self.wanted(topics).next()
    }

    /// Takes the message that comes next: the first, or, where no order is promised, the second and then the first.
    pub(super) fn take(&mut self, topics: &BTreeSet<Arc<str>>, ordered: bool) -> Option<Entry> {
        let mut wanted = self.wanted(topics);
        let (first, second) = (wanted.next()?, if ordered { None } else { wanted.next() });
        drop(wanted);
        self.passes_over = !self.passes_over;
        let chosen = second.filter(|_| self.passes_over).unwrap_or(first);
        self.waiting.remove(&chosen)
    }

    fn wanted(&self, topics: &BTreeSet<Arc<str>>) -> impl Iterator<Item = u64> {
        self.waiting.iter().filter(|(_, entry)| topics.contains(&entry.topic)).map(|(sequence, _)| *sequence)
    }
}
