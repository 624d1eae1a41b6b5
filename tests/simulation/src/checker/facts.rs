use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diator::endpoint::Order;

use super::kept::{Kept, Row};
use crate::plan::{MessageKind, Plan};
use crate::trace::{Answer, Event, How, Noted};

/// So many attempts that never ended make a dead letter.
const CRASHES: u32 = 3;

/// What is known at a moment of a trace.
pub(super) struct Facts<'p> {
    pub(super) plan: &'p Plan,
    pub(super) process_of: BTreeMap<usize, usize>,
    /// Processes that are asked to end, and since when.
    pub(super) stopping: BTreeMap<usize, Duration>,
    pub(super) entries: BTreeMap<usize, Entry>,
    achieved: BTreeMap<(usize, usize, usize), Achieved>,
    /// How often a process was given a message since it has last settled it.
    given: BTreeMap<(usize, usize), usize>,
    /// Deliveries that an endpoint has, as far as it knows.
    pub(super) held: BTreeMap<u64, Held>,
    /// The owner of each delivery that was ever given.
    pub(super) owner_of: BTreeMap<u64, (u32, u64)>,
    /// Owners of which an opening takes nothing more.
    ended_owners: BTreeSet<(usize, (u32, u64))>,
    /// Processes that have read of a message in the attempt log that it was begun too often without an end; and how often that was so.
    warned: BTreeMap<(usize, Noted), u32>,
    /// How often a message was begun, and its process or the log failed before its end.
    crashes: BTreeMap<Noted, u32>,
    /// How often a process that lives on began a message, and did not learn of it, or could not note its end.
    unlearned: BTreeMap<(usize, Noted), u32>,
    noted: BTreeSet<(usize, Noted)>,
    pub(super) kept: Kept,
    pub(super) quiet: Option<Duration>,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) message: usize,
    pub(super) settled: bool,
}

/// What a handler has achieved with a message in one process.
#[derive(Clone, Copy, Default)]
pub(super) struct Achieved {
    pub(super) done: bool,
    pub(super) hopeless: bool,
    /// How many failures the process may count at most: those that the engine knew of, and its own; also what was cut off, in time or
    /// because the endpoint had to end.
    pub(super) counted: usize,
    /// The same since the process last settled the message.
    pub(super) done_since: bool,
    pub(super) failed_since: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) opening: usize,
    pub(super) message: usize,
    pub(super) owner: Option<(u32, u64)>,
    pub(super) until: Option<Duration>,
}

impl<'p> Facts<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            process_of: BTreeMap::new(),
            stopping: BTreeMap::new(),
            entries: BTreeMap::new(),
            achieved: BTreeMap::new(),
            given: BTreeMap::new(),
            held: BTreeMap::new(),
            owner_of: BTreeMap::new(),
            ended_owners: BTreeSet::new(),
            warned: BTreeMap::new(),
            crashes: BTreeMap::new(),
            unlearned: BTreeMap::new(),
            noted: BTreeSet::new(),
            kept: Kept::default(),
            quiet: None,
        }
    }

    pub(super) fn achieved(&self, process: usize, message: usize, handler: usize) -> Achieved {
        self.achieved.get(&(process, message, handler)).copied().unwrap_or_default()
    }

    /// Whether a handler may have failed for good on a message.
    pub(super) fn has_failed_for_good(&self, process: usize, message: usize, handler: usize) -> bool {
        let achieved = self.achieved(process, message, handler);
        achieved.hopeless || achieved.counted >= self.plan.settings.attempts()
    }

    /// Whether a process may still be keeping a message whose lock it has lost, and handle it once more meanwhile.
    pub(super) fn has_twice(&self, process: usize, message: usize) -> bool {
        self.given.get(&(process, message)).is_some_and(|&times| times > 1)
    }

    /// Whether all handlers have come to their end with a message: in this process, or for all of them, where there is a store.
    pub(super) fn is_complete(&self, process: usize, message: usize) -> bool {
        if self.plan.store.is_some() {
            return self.kept.has_taken(message, None, self.plan);
        }
        let is_over = |handler| {
            self.achieved(process, message, handler).done || self.has_failed_for_good(process, message, handler)
        };
        match self.plan.messages[message].kind {
            MessageKind::Unknown | MessageKind::Unreadable => true,
            MessageKind::Known | MessageKind::Poison => {
                (0..self.plan.settings.handlers).all(is_over)
                    || self.warned.contains_key(&(process, Noted::Message(message)))
            }
        }
    }

    /// Whether a row waits for an operator: it is a dead letter, or behind one of its key.
    pub(super) fn is_parked(&self, row: i64) -> bool {
        let Some(of) = self.kept.rows.get(&row) else { return false };
        let key = self.plan.messages[of.message].key;
        let parks = key.is_some() && self.plan.settings.order == Order::PerKey;
        let mut before = self.kept.rows.range(..row).map(|(_, other)| other);
        let is_before =
            |other: &Row| other.is_dead && other.holds_key(self.plan) && self.plan.messages[other.message].key == key;
        of.is_dead || (parks && before.any(is_before))
    }

    fn forget_owner(&mut self, opening: usize, owner: Option<(u32, u64)>) {
        self.held.retain(|_, held| held.opening != opening || held.owner != owner);
        self.ended_owners.extend(owner.map(|owner| (opening, owner)));
    }

    fn forget_achieved(&mut self, process: usize, message: usize) {
        self.given.remove(&(process, message));
        for handler in 0..2 {
            if let Some(achieved) = self.achieved.get_mut(&(process, message, handler)) {
                (achieved.done_since, achieved.failed_since) = (false, 0);
            }
        }
    }

    fn settled(&mut self, opening: usize, entry: usize, message: usize) {
        if let Some(entry) = self.entries.get_mut(&entry) {
            entry.settled = true;
        }
        if let Some(&process) = self.process_of.get(&opening) {
            self.forget_achieved(process, message);
        }
    }

    /// How many attempts a process may regard as crashes: also those of processes that are in the midst of one.
    fn unended_for(&self, process: usize, noted: Noted) -> u32 {
        let others = self.noted.iter().filter(|(other, it)| *it == noted && *other != process).count();
        let is_others = |((other, it), _): &(&(usize, Noted), &u32)| *it == noted && *other != process;
        let unlearned: u32 = self.unlearned.iter().filter(is_others).map(|(_, times)| times).sum();
        let crashes = self.crashes.get(&noted).copied().unwrap_or_default();
        crashes + unlearned + u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Whether the process has read of so many crashes that it is poison.
    pub(super) fn is_poison(&self, process: usize, noted: Noted) -> bool {
        self.warned.get(&(process, noted)).is_some_and(|&crashes| crashes >= CRASHES)
    }

    /// The engine has one number for all handlers of a message.
    fn count_from(&mut self, process: usize, message: usize, failures: u32) {
        for handler in 0..self.plan.settings.handlers {
            let achieved = self.achieved.entry((process, message, handler)).or_default();
            achieved.counted = achieved.counted.max(failures as usize);
        }
    }

    fn forget_beginnings(&mut self, process: usize, noted: Noted) {
        if let Some(times) = self.unlearned.remove(&(process, noted)) {
            *self.crashes.entry(noted).or_default() += times;
        }
    }

    fn ended(&mut self, process: usize, message: usize, handler: usize, how: Option<How>) {
        let achieved = self.achieved.entry((process, message, handler)).or_default();
        match how {
            Some(How::Done) => (achieved.done, achieved.done_since) = (true, true),
            Some(How::Hopeless) => achieved.hopeless = true,
            Some(How::Failed | How::Panicked) => {
                achieved.counted += 1;
                achieved.failed_since += 1;
            }
            Some(How::Busy | How::Outage) => {}
            None => achieved.counted += 1,
        }
        if how.is_none() {
            // Of a run that is cut off, earlier failures do not count.
            let of_it = self.achieved.range_mut((process, message, 0)..(process, message + 1, 0));
            of_it.for_each(|(_, achieved)| achieved.failed_since = 0);
        }
    }

    /// A process is gone, and with it what it had begun.
    fn gone(&mut self, process: usize) {
        let begun: Vec<_> = self.noted.iter().filter(|(other, _)| *other == process).copied().collect();
        for (process, noted) in begun {
            self.noted.remove(&(process, noted));
            *self.crashes.entry(noted).or_default() += 1;
        }
        let unlearned: Vec<_> = self.unlearned.keys().filter(|(other, _)| *other == process).copied().collect();
        unlearned.into_iter().for_each(|(process, noted)| self.forget_beginnings(process, noted));
        self.stopping.remove(&process);
        let process_of = &self.process_of;
        self.held.retain(|_, held| process_of.get(&held.opening) != Some(&process));
    }

    pub(super) fn learn(&mut self, at: Duration, event: Event) {
        let entries = &self.entries;
        self.kept.learn(event, |message| entries.values().any(|entry| entry.message == message && !entry.settled));
        match event {
            Event::Published { message, entry } => {
                self.entries.insert(entry, Entry { message, settled: false });
            }
            Event::Opened { process, opening } => {
                self.process_of.insert(opening, process);
            }
            Event::Stopping { process } => {
                self.stopping.insert(process, at);
            }
            Event::Over { opening } => self.held.retain(|_, held| held.opening != opening),
            Event::Crashed { process } | Event::Stopped { process, .. } => self.gone(process),
            Event::Given { opening, tag, message, owner, until, failures, .. } => {
                if let Some(&process) = self.process_of.get(&opening) {
                    *self.given.entry((process, message)).or_default() += 1;
                    self.forget_beginnings(process, Noted::Message(message));
                    self.count_from(process, message, failures);
                }
                self.owner_of.extend(owner.map(|owner| (tag, owner)));
                if owner.is_none_or(|owner| !self.ended_owners.contains(&(opening, owner))) {
                    self.held.insert(tag, Held { opening, message, owner, until });
                }
            }
            Event::Extended { tag, until, .. } => {
                if let Some(held) = self.held.get_mut(&tag)
                    && held.until.is_none_or(|known| known > at)
                {
                    held.until = held.until.max(Some(until));
                }
            }
            Event::Acked { opening, entry, message, .. } | Event::Dead { opening, entry, message, .. } => {
                self.settled(opening, entry, message);
                self.held.retain(|_, held| held.opening != opening || held.message != message);
            }
            Event::Released { opening, message, .. } | Event::Delayed { opening, message, .. } => {
                self.held.retain(|_, held| held.opening != opening || held.message != message);
            }
            Event::Answered { opening, tag, answer: Answer::LockLost | Answer::Refused } => {
                self.held.remove(&tag);
                if !self.plan.traits.capabilities.settles_out_of_order {
                    self.forget_owner(opening, self.owner_of.get(&tag).copied());
                }
            }
            Event::LockOver { tag, .. } | Event::LockLost { tag, .. } => {
                self.held.remove(&tag);
            }
            Event::Revoking { opening, owner, .. }
            | Event::Lost { opening, owner }
            | Event::GivenUp { opening, owner } => {
                self.forget_owner(opening, Some(owner));
            }
            Event::Ended { process, message, handler, how } => self.ended(process, message, handler, Some(how)),
            Event::Dropped { process, message, handler } => self.ended(process, message, handler, None),
            Event::Noted { process, noted, unended } => {
                if unended >= CRASHES {
                    let unended = self.unended_for(process, noted);
                    self.warned.insert((process, noted), unended);
                }
                self.noted.insert((process, noted));
            }
            Event::NotLearned { process, noted } => {
                self.noted.remove(&(process, noted));
                *self.unlearned.entry((process, noted)).or_default() += 1;
            }
            Event::NotedEnd { process, noted } => {
                self.noted.remove(&(process, noted));
                self.crashes.remove(&noted);
                self.unlearned.retain(|(_, other), _| *other != noted);
            }
            Event::NotNotedEnd { process, noted } => {
                let was_noted = self.noted.remove(&(process, noted));
                *self.unlearned.entry((process, noted)).or_default() += u32::from(was_noted);
            }
            Event::Quiet => self.quiet = Some(at),
            _ => {}
        }
    }
}
