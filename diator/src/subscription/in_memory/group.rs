use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::dead_letter::InMemoryDeadLetter;
use super::entry::Entry;
use super::member::{Connection, Held, Member, by_member};
use super::partition::{Owner, Partition};
use super::sharing::share_out;
use crate::broker::Kept;
use crate::subscription::{Capabilities, Ownership, Release, Taken};

/// What the openings of one endpoint share: what waits, who owns what, and what was given up.
pub(super) struct Group {
    pub(super) capabilities: Capabilities,
    pub(super) handover: Duration,
    pub(super) members: BTreeMap<u64, Member>,
    pub(super) partitions: Vec<Partition>,
    pub(super) dead: Vec<InMemoryDeadLetter>,
    /// What was settled and can be replayed, and how often it had come.
    pub(super) settled: BTreeMap<u64, u32>,
    /// Whether something can be delivered, or will be earlier, that could not before.
    pub(super) stirred: bool,
    topics: BTreeSet<Arc<str>>,
    /// What comes again after a time.
    resting: BTreeMap<(Instant, u64), Entry>,
    /// Before this, no time is over.
    earliest: Option<Instant>,
    /// Nobody can open it any more.
    pub(super) left: bool,
}

/// A moment after another one; a time that is too long for the clock is a hundred years.
pub(super) fn later(moment: Instant, time: Duration) -> Instant {
    moment.checked_add(time).unwrap_or_else(|| moment + Duration::from_secs(100 * 365 * 24 * 3_600))
}

/// Why something goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Its lock, or its connection, is over.
    Lost,
    Released,
    Later(Duration),
}

impl Group {
    pub(super) fn new(capabilities: Capabilities, partitions: usize, handover: Duration) -> Self {
        Self {
            capabilities,
            handover,
            members: BTreeMap::new(),
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            dead: Vec::new(),
            settled: BTreeMap::new(),
            stirred: false,
            topics: BTreeSet::new(),
            resting: BTreeMap::new(),
            earliest: None,
            left: false,
        }
    }

    /// Works from now on as it is told to, with what waits.
    pub(super) fn configure(&mut self, capabilities: Capabilities, partitions: usize, handover: Duration) {
        (self.capabilities, self.handover) = (capabilities, handover);
        if partitions != self.partitions.len() {
            // The epochs go on, whatever the numbers are.
            let epoch = self.partitions.iter().map(|partition| partition.epoch).max().unwrap_or_default();
            let waiting: Vec<_> =
                self.partitions.iter_mut().flat_map(|partition| mem::take(&mut partition.waiting)).collect();
            self.partitions = (0..partitions).map(|_| Partition::after(epoch)).collect();
            waiting.into_iter().for_each(|(_, entry)| self.wait(entry));
        }
    }

    /// The topic as the group names it, if it is one of its own.
    pub(super) fn topic(&self, topic: &str) -> Option<&Arc<str>> {
        self.topics.get(topic)
    }

    pub(super) fn add_topic(&mut self, topic: Arc<str>) {
        self.topics.insert(topic);
    }

    pub(super) fn add(&mut self, topic: Arc<str>, kept: &Arc<Kept>) {
        self.wait(Entry::new(topic, kept.clone()));
    }

    pub(super) fn add_again(&mut self, topic: Arc<str>, kept: &Arc<Kept>, came: u32) {
        let mut entry = Entry::new(topic, kept.clone());
        entry.came = came;
        self.wait(entry);
    }

    fn wait(&mut self, entry: Entry) {
        let partition = entry.partition(self.partitions.len());
        self.partitions[partition].wait(entry);
        self.stirred = true;
    }

    pub(super) fn join(&mut self, id: u64, topics: BTreeSet<Arc<str>>, now: Instant) {
        self.members.insert(id, Member::new(topics));
        self.share_out(now);
    }

    /// Takes what a new endpoint has in place of a former one.
    pub(super) fn inherit(&mut self, former: &mut Self) {
        for partition in &mut former.partitions {
            mem::take(&mut partition.waiting).into_values().for_each(|entry| self.wait(entry));
        }
        for (due, entry) in mem::take(&mut former.resting) {
            self.rest_until(due.0, entry);
        }
        self.topics.append(&mut former.topics);
        self.dead.append(&mut former.dead);
        self.settled.append(&mut former.settled);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| now < earliest) {
            return;
        }
        while let Some(due) = self.resting.first_entry().filter(|entry| entry.key().0 <= now) {
            let entry = due.remove();
            self.wait(entry);
        }
        self.unlock(|held| held.until.is_some_and(|until| until <= now));
        for number in 0..self.partitions.len() {
            let partition = &self.partitions[number];
            if partition.owner.until().is_some_and(|until| until <= now) {
                self.take_partition(number);
            }
        }
        self.forget_members();
        self.share_out(now);
        let locks = self.members.values().flat_map(|member| member.held.values().filter_map(|held| held.until));
        let owners = self.partitions.iter().filter_map(|partition| partition.owner.until());
        self.earliest = locks.chain(owners).chain(self.resting.keys().map(|(due, _)| *due)).min();
    }

    /// When something is due at the earliest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.earliest
    }

    pub(super) fn wake_at(&mut self, at: Instant) {
        if self.earliest.is_none_or(|earliest| at < earliest) {
            self.earliest = Some(at);
            self.stirred = true;
        }
    }

    /// Ends the locks of this kind.
    pub(super) fn unlock(&mut self, is_over: impl Fn(&Held) -> bool) {
        if self.capabilities.lock_ends_opening {
            let holds = |member: &Member| member.held.values().any(&is_over);
            let over: Vec<_> = self.members.iter().filter(|(_, member)| holds(member)).map(|(id, _)| *id).collect();
            over.into_iter().for_each(|id| self.end_at_once(id));
        } else {
            self.lose(is_over);
        }
    }

    /// Takes from all members what they hold of this kind; it goes back.
    fn lose(&mut self, is_lost: impl Fn(&Held) -> bool) {
        let lost: Vec<_> = self.members.values_mut().flat_map(|member| member.lose(&is_lost)).collect();
        lost.into_iter().for_each(|held| self.give_back(held.entry, Way::Lost, None));
    }

    pub(super) fn give_back(&mut self, mut entry: Entry, way: Way, now: Option<Instant>) {
        if way == Way::Lost && !self.capabilities.redelivery {
            return;
        }
        let costs_nothing = way == Way::Released && self.capabilities.release == Release::Uncounted;
        if costs_nothing || matches!(way, Way::Later(_)) {
            entry.counted = entry.counted.saturating_sub(1);
        }
        if self.capabilities.delivery_limit.is_some_and(|limit| entry.counted >= limit) {
            self.bury(&entry, "the engine's limit of deliveries is reached".into());
        } else if let (Way::Later(after), Some(now)) = (way, now) {
            self.rest_until(later(now, after), entry);
        } else {
            self.wait(entry);
        }
    }

    fn rest_until(&mut self, due: Instant, entry: Entry) {
        self.resting.insert((due, entry.sequence()), entry);
        self.wake_at(due);
    }

    /// What is settled for good; it may be replayed.
    pub(super) fn settled(&mut self, entry: &Entry) {
        if self.capabilities.replayable {
            self.settled.insert(entry.sequence(), entry.came);
        }
    }

    pub(super) fn bury(&mut self, entry: &Entry, reason: Box<str>) {
        self.settled(entry);
        if self.capabilities.dead_letters {
            let message = entry.message().clone();
            self.dead.push(InMemoryDeadLetter { message, reason, deliveries: entry.came });
        }
    }

    /// The partition belongs to nobody; what its owner holds of it goes back.
    pub(super) fn free(&mut self, number: usize) {
        self.partitions[number].owner = Owner::Nobody;
        self.lose(|held| held.partition == number);
        self.stirred = true;
    }

    /// Frees a partition, and tells its owner that it is lost.
    fn take_partition(&mut self, number: usize) {
        let partition = &self.partitions[number];
        let ownership = partition.ownership(number);
        if let Some(member) = partition.owner.member().and_then(|member| self.members.get_mut(&member)) {
            member.tell(Taken::Lost { owners: vec![ownership] });
        }
        self.free(number);
    }

    /// Takes from the owners all that they have.
    pub(super) fn take_partitions(&mut self, now: Instant) {
        (0..self.partitions.len()).for_each(|number| self.take_partition(number));
        self.share_out(now);
    }

    /// Asks the owners for all that they have.
    pub(super) fn revoke(&mut self, now: Instant) {
        let by = later(now, self.handover);
        let mut asked = Vec::new();
        for number in 0..self.partitions.len() {
            if let Owner::Member(member) = self.partitions[number].owner {
                self.partitions[number].owner = Owner::Leaving { member, by };
                asked.push((member, self.partitions[number].ownership(number)));
            }
        }
        self.ask(asked, by);
    }

    pub(super) fn share_out(&mut self, now: Instant) {
        if self.capabilities.exclusive_keys {
            let reads = |(id, member): (&u64, &Member)| (member.connection == Connection::Reads).then_some(*id);
            let readers: Vec<_> = self.members.iter().filter_map(reads).collect();
            let by = later(now, self.handover);
            let asked = share_out(&mut self.partitions, &readers, by);
            self.ask(asked, by);
        }
        self.stirred = true;
    }

    fn ask(&mut self, asked: Vec<(u64, Ownership)>, by: Instant) {
        for (member, owners) in by_member(asked) {
            if let Some(member) = self.members.get_mut(&member) {
                member.tell(Taken::Revoking { owners, by });
            }
            self.wake_at(by);
        }
        self.stirred = true;
    }

    fn forget_members(&mut self) {
        let owners: BTreeSet<_> = self.partitions.iter().filter_map(|partition| partition.owner.member()).collect();
        self.members.retain(|id, member| {
            member.connection != Connection::Over || !member.held.is_empty() || owners.contains(id)
        });
    }

    /// Forgets everything that waits or is held, as an engine does that stores nothing.
    pub(super) fn clear(&mut self) {
        self.members.clear();
        self.partitions.iter_mut().for_each(|partition| {
            partition.waiting.clear();
            partition.owner = Owner::Nobody;
        });
        self.resting.clear();
        self.settled.clear();
        self.dead.clear();
    }

    /// What waits, rests or is held.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Arc<Kept>> {
        let waiting = self.partitions.iter().flat_map(|partition| partition.waiting.values());
        let held = self.members.values().flat_map(|member| member.held.values().map(|held| &held.entry));
        waiting.chain(self.resting.values()).chain(held).map(Entry::kept)
    }

    /// Whether a message waits, rests or is held.
    pub(super) fn has(&self, sequence: u64) -> bool {
        let held = |member: &Member| member.held.values().any(|held| held.entry.sequence() == sequence);
        self.partitions.iter().any(|partition| partition.has(sequence))
            || self.resting.keys().any(|(_, resting)| *resting == sequence)
            || self.members.values().any(held)
    }
}
