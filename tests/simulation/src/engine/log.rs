use std::collections::{BTreeMap, BTreeSet, VecDeque};

use diator::subscription::{DeliveryTag, Ownership, Release, Settled, Settlement, Verdict};
use tokio::time::Instant;

use super::partition::{Entry, Owner, Partition};
use super::{At, Engine, Farewell, Given, News, Traits, why};
use crate::trace::Event;

/// A log: partitions with owners, in order. It knows how far an owner has come; or, where it settles out of order, each entry by itself.
pub(crate) struct Log {
    traits: Traits,
    partitions: Vec<Partition>,
    /// How many entries there are.
    entries: usize,
    openings: BTreeSet<usize>,
    news: BTreeMap<usize, VecDeque<News>>,
    given: BTreeMap<(usize, DeliveryTag), (usize, u64, usize)>,
    next_tag: u64,
}

impl Log {
    pub(crate) fn new(traits: Traits) -> Self {
        Self {
            partitions: (0..traits.partitions).map(|_| Partition::default()).collect(),
            traits,
            entries: 0,
            openings: BTreeSet::new(),
            news: BTreeMap::new(),
            given: BTreeMap::new(),
            next_tag: 0,
        }
    }

    fn knows_each(&self) -> bool {
        self.traits.capabilities.settles_out_of_order
    }

    /// What time brings: locks that are over, partitions that nobody gave up.
    fn pass(&mut self, at: &mut At<'_>) {
        for partition in &mut self.partitions {
            let Some(owner) = partition.owner else { continue };
            for entry in &mut partition.entries {
                if let Some((tag, Some(until))) = entry.given
                    && until <= at.now
                {
                    entry.given = None;
                    at.lock_over(owner.opening, tag, until);
                }
            }
            if owner.revoked_by.is_some_and(|by| by <= at.now) {
                partition.free();
            }
        }
        self.assign(at);
    }

    /// Gives partitions to the openings in turn, and wants those back that others should have.
    fn assign(&mut self, at: &mut At<'_>) {
        let openings: Vec<_> = self.openings.iter().copied().collect();
        if openings.is_empty() {
            return;
        }
        for (number, partition) in self.partitions.iter_mut().enumerate() {
            let target = openings[number % openings.len()];
            match &mut partition.owner {
                Some(owner) if owner.opening == target || owner.revoked_by.is_some() => {}
                Some(owner) => {
                    let by = at.now + self.traits.grace;
                    owner.revoked_by = Some(by);
                    let owner_there = Ownership { partition: index(number), epoch: partition.epoch };
                    let news = News::Revoking { owner: owner_there, by };
                    self.news.entry(owner.opening).or_default().push_back(news);
                }
                None => partition.give_to(target),
            }
        }
    }

    /// Where a delivery is, if it is still the opening's.
    fn held(&self, opening: usize, tag: DeliveryTag, now: Instant) -> Option<(usize, usize)> {
        let &(number, epoch, place) = self.given.get(&(opening, tag))?;
        let partition = &self.partitions[number];
        let owner = partition.owner.filter(|owner| owner.opening == opening && partition.epoch == epoch)?;
        let is_over = owner.revoked_by.is_some_and(|by| by <= now);
        let is_given = partition.entries[place].given.is_some_and(|(other, _)| other == tag);
        (!is_over && (is_given || !self.knows_each())).then_some((number, place))
    }
}

impl Engine for Log {
    fn publish(&mut self, message: usize, at: &mut At<'_>) {
        let number = self.entries;
        self.entries += 1;
        at.note(Event::Published { message, entry: number });
        let entry = Entry {
            number,
            message,
            settled: false,
            given: None,
            settled_by: None,
            from: at.now,
            times: 0,
            failures: 0,
        };
        self.partitions[self.traits.places[message] % self.traits.partitions].entries.push(entry);
    }

    fn open(&mut self, opening: usize, at: &mut At<'_>) {
        self.openings.insert(opening);
        self.pass(at);
    }

    fn take(&mut self, opening: usize, credit: usize, at: &mut At<'_>) -> Vec<Given> {
        self.pass(at);
        let knows_each = self.knows_each();
        let most = credit.min(1 + at.random.below(8));
        let mut given = Vec::new();
        while given.len() < most {
            let is_ours = |partition: &Partition| partition.owner.is_some_and(|owner| owner.opening == opening);
            let has_some = |partition: &Partition| is_ours(partition) && partition.next(knows_each, at.now).is_some();
            let from: Vec<_> = (0..self.partitions.len()).filter(|&one| has_some(&self.partitions[one])).collect();
            if from.is_empty() {
                break;
            }
            let number = at.random.pick(&from);
            let partition = &mut self.partitions[number];
            let (Some(place), Some(owner)) = (partition.next(knows_each, at.now), &mut partition.owner) else { break };
            owner.next = place + 1;
            self.next_tag += 1;
            let tag = DeliveryTag(self.next_tag);
            let until = self.traits.capabilities.lock.map(|lock| at.now + lock);
            self.given.insert((opening, tag), (number, partition.epoch, place));
            let entry = &mut partition.entries[place];
            entry.given = Some((tag, until));
            let owner = Some(Ownership { partition: index(number), epoch: partition.epoch });
            let Entry { number: entry_number, message, times, failures, .. } = *entry;
            entry.times += 1;
            given.push(Given { tag, entry: entry_number, message, owner, times, failures, from: at.now });
        }
        given
    }

    fn news(&mut self, opening: usize, at: &mut At<'_>) -> Option<News> {
        self.pass(at);
        self.news.get_mut(&opening)?.pop_front()
    }

    fn settle(&mut self, opening: usize, settlement: &Settlement, at: &mut At<'_>) -> Settled {
        self.pass(at);
        let Settlement { tag, verdict, .. } = settlement;
        let by = Some((opening, *tag));
        if let Some(&(number, _, place)) = self.given.get(&(opening, *tag))
            && self.partitions[number].entries[place].settled_by == by
        {
            return Settled::Done;
        }
        let Some((number, place)) = self.held(opening, *tag, at.now) else { return Settled::LockLost };
        let (knows_each, capabilities) = (self.knows_each(), self.traits.capabilities);
        let entries = &mut self.partitions[number].entries;
        let entry = &mut entries[place];
        let (number, message) = (entry.number, entry.message);
        match verdict {
            Verdict::Ack if !entry.settled => at.note(Event::Acked { opening, entry: number, message, implied: false }),
            Verdict::DeadLetter { reason, .. } => {
                at.note(Event::Dead { opening, entry: number, message, why: why(reason) });
            }
            Verdict::Release if knows_each && capabilities.release != Release::Impossible => {
                if capabilities.release == Release::Uncounted {
                    entry.times -= 1;
                }
                entry.given = None;
                at.note(Event::Released { opening, entry: number, message });
                return Settled::Done;
            }
            Verdict::Retry { after, failures, .. }
                if knows_each && capabilities.delayed_retry.is_some_and(|longest| *after <= longest) =>
            {
                if capabilities.retry_counts {
                    entry.failures = *failures;
                }
                (entry.given, entry.from) = (None, at.now + *after);
                at.note(Event::Delayed { opening, entry: number, message, after: *after, failures: *failures });
                return Settled::Done;
            }
            Verdict::Ack => {}
            _ => {
                at.note(Event::Misused { opening });
                return Settled::Done;
            }
        }
        (entry.settled, entry.settled_by, entry.given) = (true, by, None);
        if !knows_each {
            for earlier in entries[..place].iter_mut().filter(|earlier| !earlier.settled) {
                earlier.settled = true;
                let (entry, message) = (earlier.number, earlier.message);
                at.note(Event::Acked { opening, entry, message, implied: true });
            }
        }
        Settled::Done
    }

    fn extend(&mut self, opening: usize, tag: DeliveryTag, at: &mut At<'_>) -> Settled {
        self.pass(at);
        let Some((number, place)) = self.held(opening, tag, at.now) else { return Settled::LockLost };
        let until = self.traits.capabilities.lock.map(|lock| at.now + lock);
        self.partitions[number].entries[place].given = Some((tag, until));
        Settled::Done
    }

    fn given_up(&mut self, opening: usize, owners: &[Ownership], at: &mut At<'_>) {
        for owner in owners {
            at.note(Event::GivenUp { opening, owner: (owner.partition, owner.epoch) });
            let partition = &mut self.partitions[owner.partition as usize];
            if partition.epoch == owner.epoch && partition.owner.is_some_and(|owner| owner.opening == opening) {
                partition.free();
            }
        }
        self.pass(at);
    }

    fn end(&mut self, opening: usize, _: Farewell, at: &mut At<'_>) {
        if !self.openings.remove(&opening) {
            return;
        }
        at.note(Event::Over { opening });
        self.news.remove(&opening);
        let is_its = |partition: &&mut Partition| partition.owner.is_some_and(|owner| owner.opening == opening);
        self.partitions.iter_mut().filter(is_its).for_each(Partition::free);
        self.pass(at);
    }

    fn due(&mut self, opening: usize, at: &mut At<'_>) -> u64 {
        self.pass(at);
        let is_ours = |partition: &&Partition| partition.owner.is_some_and(|owner| owner.opening == opening);
        let has_some = |partition: &&Partition| partition.next(self.knows_each(), at.now).is_some();
        self.partitions.iter().filter(is_ours).filter(has_some).count() as u64
    }

    fn partition(&self, opening: usize, tag: DeliveryTag) -> Option<usize> {
        self.given.get(&(opening, tag)).map(|&(partition, ..)| partition)
    }

    fn next_moment(&self, now: Instant) -> Option<Instant> {
        let revoked = self.partitions.iter().filter_map(|partition| partition.owner?.revoked_by);
        let entries = self.partitions.iter().flat_map(|partition| &partition.entries);
        let moments = entries.filter(|entry| !entry.settled).filter_map(|entry| match entry.given {
            Some((_, until)) => until,
            None => Some(entry.from),
        });
        moments.chain(revoked).filter(|&moment| moment > now).min()
    }

    fn misbehave(&mut self, at: &mut At<'_>) {
        let number = at.random.below(self.partitions.len());
        let takes_lock = self.traits.capabilities.lock.is_some() && at.random.chance(600);
        let partition = &mut self.partitions[number];
        let Some(Owner { opening, .. }) = partition.owner else { return };
        if takes_lock {
            let held: Vec<_> =
                (0..partition.entries.len()).filter(|&one| partition.entries[one].given.is_some()).collect();
            if held.is_empty() {
                return;
            }
            let entry = &mut partition.entries[at.random.pick(&held)];
            if let Some((tag, _)) = entry.given.take() {
                at.note(Event::LockLost { opening, tag: tag.0 });
            }
            return;
        }
        let owner = Ownership { partition: index(number), epoch: partition.epoch };
        partition.free();
        self.news.entry(opening).or_default().push_back(News::Lost { owner });
        let openings: Vec<_> = self.openings.iter().copied().collect();
        if !openings.is_empty() {
            self.partitions[number].give_to(at.random.pick(&openings));
        }
    }

    fn unsettled(&self) -> usize {
        self.partitions.iter().flat_map(|partition| &partition.entries).filter(|entry| !entry.settled).count()
    }
}

fn index(partition: usize) -> u32 {
    u32::try_from(partition).unwrap_or(u32::MAX)
}
