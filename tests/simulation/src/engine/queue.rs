use std::collections::{BTreeMap, BTreeSet};

use diator::subscription::{DeliveryTag, Ownership, Release, Settled, Settlement, Verdict};
use tokio::time::Instant;

use super::{At, Engine, Farewell, Given, News, Traits, why};
use crate::trace::Event;

/// A queue: each delivery is locked and settled by itself, in no order.
pub(crate) struct Queue {
    traits: Traits,
    entries: Vec<Entry>,
    openings: BTreeSet<usize>,
    /// The entry of each delivery, also of those that are over.
    given: BTreeMap<(usize, DeliveryTag), usize>,
    next_tag: u64,
}

struct Entry {
    message: usize,
    state: State,
    times: u32,
    failures: u32,
    /// Who settled it.
    settled_by: Option<(usize, DeliveryTag)>,
}

#[derive(Clone, Copy)]
enum State {
    Waiting { from: Instant },
    Locked { opening: usize, tag: DeliveryTag, until: Option<Instant> },
    Settled,
}

impl Queue {
    pub(crate) fn new(traits: Traits) -> Self {
        Self { traits, entries: Vec::new(), openings: BTreeSet::new(), given: BTreeMap::new(), next_tag: 0 }
    }

    fn locked(&self, opening: usize, tag: DeliveryTag) -> Option<usize> {
        let place = *self.given.get(&(opening, tag))?;
        let State::Locked { opening: other, tag: its, .. } = self.entries[place].state else { return None };
        ((other, its) == (opening, tag)).then_some(place)
    }

    fn let_locks_end(&mut self, at: &mut At<'_>) {
        for entry in &mut self.entries {
            if let State::Locked { opening, tag, until: Some(until) } = entry.state
                && until <= at.now
            {
                entry.state = State::Waiting { from: at.now };
                at.lock_over(opening, tag, until);
            }
        }
    }

    fn until(&self, now: Instant) -> Option<Instant> {
        self.traits.capabilities.lock.map(|lock| now + lock)
    }
}

impl Engine for Queue {
    fn publish(&mut self, message: usize, at: &mut At<'_>) {
        at.note(Event::Published { message, entry: self.entries.len() });
        let state = State::Waiting { from: at.now };
        self.entries.push(Entry { message, state, times: 0, failures: 0, settled_by: None });
    }

    fn open(&mut self, opening: usize, _: &mut At<'_>) {
        self.openings.insert(opening);
    }

    fn take(&mut self, opening: usize, credit: usize, at: &mut At<'_>) -> Vec<Given> {
        if !self.openings.contains(&opening) {
            return Vec::new();
        }
        self.let_locks_end(at);
        let waits = |entry: &Entry| matches!(entry.state, State::Waiting { from } if from <= at.now);
        let mut waiting: Vec<_> = (0..self.entries.len()).filter(|&place| waits(&self.entries[place])).collect();
        let most = credit.min(1 + at.random.below(8));
        let mut given = Vec::new();
        while given.len() < most && !waiting.is_empty() {
            let next = if at.random.chance(700) { 0 } else { at.random.below(waiting.len()) };
            let place = waiting.remove(next);
            let until = self.until(at.now);
            self.next_tag += 1;
            let tag = DeliveryTag(self.next_tag);
            self.given.insert((opening, tag), place);
            let entry = &mut self.entries[place];
            entry.state = State::Locked { opening, tag, until };
            let Entry { message, times, failures, .. } = *entry;
            entry.times += 1;
            given.push(Given { tag, entry: place, message, owner: None, times, failures, from: at.now });
        }
        given
    }

    fn news(&mut self, _: usize, _: &mut At<'_>) -> Option<News> {
        None
    }

    fn settle(&mut self, opening: usize, settlement: &Settlement, at: &mut At<'_>) -> Settled {
        self.let_locks_end(at);
        let Settlement { tag, verdict, .. } = settlement;
        let by = Some((opening, *tag));
        let Some(&place) = self.given.get(&(opening, *tag)) else { return Settled::LockLost };
        let is_locked = self.locked(opening, *tag).is_some();
        let entry = &mut self.entries[place];
        let message = entry.message;
        if entry.settled_by == by {
            return Settled::Done;
        }
        let is_open = !matches!(entry.state, State::Settled) && self.openings.contains(&opening);
        let is_true = self.traits.ack_is_true && *verdict == Verdict::Ack && is_open;
        if !is_locked && !is_true {
            return Settled::LockLost;
        }
        match verdict {
            Verdict::Ack => {
                (entry.state, entry.settled_by) = (State::Settled, by);
                at.note(Event::Acked { opening, entry: place, message, implied: false });
            }
            Verdict::DeadLetter { reason, .. } => {
                (entry.state, entry.settled_by) = (State::Settled, by);
                at.note(Event::Dead { opening, entry: place, message, why: why(reason) });
            }
            Verdict::Release if self.traits.capabilities.release != Release::Impossible => {
                if self.traits.capabilities.release == Release::Uncounted {
                    entry.times -= 1;
                }
                entry.state = State::Waiting { from: at.now };
                at.note(Event::Released { opening, entry: place, message });
            }
            Verdict::Retry { after, failures, .. }
                if self.traits.capabilities.delayed_retry.is_some_and(|longest| *after <= longest) =>
            {
                if self.traits.capabilities.retry_counts {
                    entry.failures = *failures;
                }
                entry.state = State::Waiting { from: at.now + *after };
                at.note(Event::Delayed { opening, entry: place, message, after: *after, failures: *failures });
            }
            _ => at.note(Event::Misused { opening }),
        }
        Settled::Done
    }

    fn extend(&mut self, opening: usize, tag: DeliveryTag, at: &mut At<'_>) -> Settled {
        self.let_locks_end(at);
        let Some(place) = self.locked(opening, tag) else { return Settled::LockLost };
        self.entries[place].state = State::Locked { opening, tag, until: self.until(at.now) };
        Settled::Done
    }

    fn given_up(&mut self, opening: usize, _: &[Ownership], at: &mut At<'_>) {
        at.note(Event::Misused { opening });
    }

    fn end(&mut self, opening: usize, how: Farewell, at: &mut At<'_>) {
        if !self.openings.remove(&opening) {
            return;
        }
        at.note(Event::Over { opening });
        // Locks of their own outlive a connection; others end with it.
        let goes_back = how == Farewell::Closed || self.traits.capabilities.lock.is_none();
        for entry in &mut self.entries {
            if goes_back && matches!(entry.state, State::Locked { opening: other, .. } if other == opening) {
                entry.state = State::Waiting { from: at.now };
            }
        }
    }

    fn due(&mut self, _: usize, at: &mut At<'_>) -> u64 {
        self.let_locks_end(at);
        let waits = |entry: &&Entry| matches!(entry.state, State::Waiting { from } if from <= at.now);
        self.entries.iter().filter(waits).count() as u64
    }

    fn partition(&self, _: usize, _: DeliveryTag) -> Option<usize> {
        None
    }

    fn next_moment(&self, now: Instant) -> Option<Instant> {
        let moment = |entry: &Entry| match entry.state {
            State::Waiting { from } => Some(from),
            State::Locked { until, .. } => until,
            State::Settled => None,
        };
        self.entries.iter().filter_map(moment).filter(|&moment| moment > now).min()
    }

    fn misbehave(&mut self, at: &mut At<'_>) {
        let place = at.random.below(self.entries.len());
        if let Some(entry) = self.entries.get_mut(place)
            && let State::Locked { opening, tag, .. } = entry.state
        {
            entry.state = State::Waiting { from: at.now };
            at.note(Event::LockLost { opening, tag: tag.0 });
        }
    }

    fn unsettled(&self) -> usize {
        self.entries.iter().filter(|entry| !matches!(entry.state, State::Settled)).count()
    }
}
