use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::entry::Entry;
use crate::subscription::Ownership;

/// What waits in one partition, and whose it is.
#[derive(Default)]
pub(super) struct Partition {
    /// By their turns.
    pub(super) waiting: BTreeMap<Turn, Entry>,
    pub(super) owner: Owner,
    pub(super) epoch: u64,
    /// Whether the message that waits longest is passed over, where no order is promised.
    passes_over: bool,
}

/// When a message comes: what was given out before comes first, and each of both oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    fresh: bool,
    sequence: u64,
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

    pub(super) fn wait(&mut self, entry: Entry) {
        self.waiting.insert(Turn { fresh: entry.came == 0, sequence: entry.sequence() }, entry);
    }

    /// Whether a message waits that was published there.
    pub(super) fn has(&self, sequence: u64) -> bool {
        [false, true].iter().any(|fresh| self.waiting.contains_key(&Turn { fresh: *fresh, sequence }))
    }

    /// The turn of the message that comes next, among those of these topics.
    pub(super) fn first(&self, topics: &BTreeSet<Arc<str>>) -> Option<Turn> {
        self.wanted(topics).next()
    }

    /// Takes the message that comes next: the first, or, where no order is promised, the second and then the first.
    pub(super) fn take(&mut self, topics: &BTreeSet<Arc<str>>, ordered: bool) -> Option<Entry> {
        let mut wanted = self.wanted(topics);
        let first = wanted.next()?;
        let second = if ordered || !first.fresh { None } else { wanted.next() };
        drop(wanted);
        self.passes_over = !self.passes_over;
        let chosen = second.filter(|_| self.passes_over).unwrap_or(first);
        self.waiting.remove(&chosen)
    }

    fn wanted(&self, topics: &BTreeSet<Arc<str>>) -> impl Iterator<Item = Turn> {
        self.waiting.iter().filter(|(_, entry)| topics.contains(&entry.topic)).map(|(turn, _)| *turn)
    }
}
