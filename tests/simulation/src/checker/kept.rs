use std::collections::{BTreeMap, BTreeSet};

use diator::endpoint::OnDead;

use crate::plan::{MessageKind, Plan};
use crate::trace::{Event, How, RowState, RowVerdict};

/// What is known of the store and the inbox at a moment of a trace.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) rows: BTreeMap<i64, Row>,
    /// Of which message, and for which handler, there was ever a row.
    ever: BTreeSet<(usize, Option<usize>)>,
    /// The entries of the engine of which there was ever a row for the whole message.
    whole: BTreeSet<usize>,
    /// In which generations a handler has taken effect on a message.
    done: BTreeSet<(usize, usize, u32)>,
    /// In which generations a handler's row was a dead letter.
    dead: BTreeSet<(usize, usize, u32)>,
    /// Messages of which some row was a dead letter.
    died: BTreeSet<usize>,
    /// Messages of which an operator has discarded a row that waited.
    discarded: BTreeSet<usize>,
    /// What runs, by message and handler, in which process.
    pub(super) running: BTreeMap<(usize, usize), usize>,
}

/// A row of the store.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) entry: usize,
    pub(super) message: usize,
    pub(super) handler: Option<usize>,
    pub(super) generation: u32,
    pub(super) is_dead: bool,
    /// Whether it was a dead letter before, in whatever generation.
    has_died: bool,
    /// How many failures the store knows of.
    pub(super) failures: u32,
    pub(super) lease: Option<Lease>,
    /// Processes whose lease of it has ended without a settlement; they may not know.
    lost_by: BTreeSet<usize>,
}

/// Who has a row in hand, and what has happened to its handlers in that process since.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    pub(super) process: usize,
    pub(super) number: i64,
    /// How often each handler may have failed at most,
    pub(super) most: [u32; 2],
    /// and at least: not what was cut off, and not what may have run for the engine's delivery of the message.
    pub(super) least: [u32; 2],
    pub(super) hopeless: [bool; 2],
    /// The process may have had the engine's delivery of the message in hand, too, or an earlier lease of the row.
    is_mixed: bool,
}

impl Row {
    /// The handlers that it is for.
    pub(super) fn handlers(&self, plan: &Plan) -> impl Iterator<Item = usize> + use<> {
        let only = self.handler;
        (0..plan.settings.handlers).filter(move |handler| only.is_none_or(|only| only == *handler))
    }

    /// The generation in which its handlers run: that of a whole message came to no handler before.
    pub(super) fn runs_in(&self) -> u32 {
        if self.handler.is_some() { self.generation } else { 0 }
    }

    /// Whether later messages of its key have to wait for it.
    pub(super) fn holds_key(&self, plan: &Plan) -> bool {
        plan.settings.on_dead == OnDead::Park || !self.has_died
    }
}

impl Kept {
    /// Whether nobody needs the engine's delivery of a message any more: each handler is done with it, or has a row, or had one.
    pub(super) fn has_taken(&self, message: usize, entry: Option<usize>, plan: &Plan) -> bool {
        let is_whole = self.ever.contains(&(message, None));
        match plan.messages[message].kind {
            MessageKind::Unreadable => entry.map_or(is_whole, |entry| self.whole.contains(&entry)),
            MessageKind::Unknown => is_whole || plan.settings.unknown == diator::endpoint::Unknown::Ignore,
            MessageKind::Known | MessageKind::Poison => {
                let has_row = |handler| self.ever.contains(&(message, Some(handler)));
                is_whole
                    || (0..plan.settings.handlers).all(|handler| has_row(handler) || self.is_done(message, handler))
            }
        }
    }

    /// Whether the handler has taken effect, in whatever generation.
    pub(super) fn is_done(&self, message: usize, handler: usize) -> bool {
        self.done.range((message, handler, 0)..=(message, handler, u32::MAX)).next().is_some()
    }

    pub(super) fn is_done_in(&self, message: usize, handler: usize, generation: u32) -> bool {
        self.done.contains(&(message, handler, generation))
    }

    /// Whether the inbox answers that there is nothing left to do.
    pub(super) fn is_known_in(&self, message: usize, handler: usize, generation: u32) -> bool {
        self.is_done_in(message, handler, generation) || self.dead.contains(&(message, handler, generation))
    }

    /// Whether a message may have lost its place in the order of its key: a dead letter of it kept nobody waiting; or a row of it was
    /// discarded, and the engine may deliver it once more.
    pub(super) fn is_out_of_order(&self, message: usize, plan: &Plan) -> bool {
        let has_died = plan.settings.on_dead == OnDead::Continue && self.died.contains(&message);
        has_died || self.was_discarded(message)
    }

    /// Whether a row of the message was discarded that waited: it may be kept once more, without the failures of that row.
    pub(super) fn was_discarded(&self, message: usize) -> bool {
        self.discarded.contains(&message)
    }

    /// Whether a process has a row of the message in hand that is for this handler, as far as it knows.
    pub(super) fn has(&self, process: usize, message: usize, handler: usize) -> bool {
        let is_for = |row: &&Row| row.message == message && row.handler.is_none_or(|only| only == handler);
        let is_its =
            |row: &Row| row.lease.is_some_and(|lease| lease.process == process) || row.lost_by.contains(&process);
        self.rows.values().filter(is_for).any(is_its)
    }

    fn dies(&mut self, id: i64) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        (row.is_dead, row.has_died, row.lease) = (true, true, None);
        self.died.insert(row.message);
        if let Some(handler) = row.handler {
            self.dead.insert((row.message, handler, row.generation));
        }
    }

    fn ended(&mut self, process: usize, message: usize, handler: usize, how: Option<How>) {
        self.running.remove(&(message, handler));
        for row in self.rows.values_mut().filter(|row| row.message == message) {
            let Some(lease) = row.lease.as_mut().filter(|lease| lease.process == process) else { continue };
            match how {
                Some(How::Done | How::Busy | How::Outage) => {}
                Some(How::Hopeless) => lease.hopeless[handler] = true,
                Some(How::Failed | How::Panicked) => {
                    lease.most[handler] += 1;
                    lease.least[handler] += u32::from(!lease.is_mixed);
                }
                None => (lease.most[handler], lease.least) = (lease.most[handler] + 1, [row.failures; 2]),
            }
        }
    }

    /// `is_open` tells whether the engine may deliver a message.
    pub(super) fn learn(&mut self, event: Event, is_open: impl Fn(usize) -> bool) {
        match event {
            Event::Kept { row, entry, message, handler, state, failures, .. } => {
                self.ever.insert((message, handler));
                if handler.is_none() {
                    self.whole.insert(entry);
                }
                let kept = Row {
                    entry,
                    message,
                    handler,
                    generation: 0,
                    is_dead: false,
                    has_died: false,
                    failures,
                    lease: None,
                    lost_by: BTreeSet::new(),
                };
                self.rows.insert(row, kept);
                if matches!(state, RowState::Dead { .. }) {
                    self.dies(row);
                }
            }
            Event::Leased { process, row, lease: number, .. } => {
                let Some(row) = self.rows.get_mut(&row) else { return };
                let runs = |handler| self.running.get(&(row.message, handler)) == Some(&process);
                let is_mixed = is_open(row.message) || (0..2).any(runs) || row.lost_by.contains(&process);
                let (most, least) = ([row.failures; 2], [row.failures; 2]);
                row.lease = Some(Lease { process, number, most, least, hopeless: [false; 2], is_mixed });
            }
            Event::LeaseOver { row, .. } | Event::LeaseTaken { row } => {
                if let Some(row) = self.rows.get_mut(&row) {
                    row.lost_by.extend(row.lease.take().map(|lease| lease.process));
                }
            }
            Event::RowSettled { row, verdict, .. } => match verdict {
                RowVerdict::Handled => _ = self.rows.remove(&row),
                RowVerdict::Dead { .. } => self.dies(row),
                RowVerdict::Later { .. } | RowVerdict::Released => {
                    if let Some(row) = self.rows.get_mut(&row) {
                        row.lease = None;
                        row.failures =
                            if let RowVerdict::Later { failures, .. } = verdict { failures } else { row.failures };
                    }
                }
            },
            Event::Replayed { row } => {
                if let Some(row) = self.rows.get_mut(&row) {
                    (row.is_dead, row.failures, row.generation) = (false, 0, row.generation + 1);
                }
            }
            Event::Discarded { row } => {
                let row = self.rows.remove(&row).filter(|row| !row.is_dead);
                self.discarded.extend(row.map(|row| row.message));
            }
            Event::Committed { message, handler, generation, .. } => {
                self.done.insert((message, handler, generation));
            }
            Event::Began { process, message, handler } => {
                self.running.insert((message, handler), process);
            }
            Event::Ended { process, message, handler, how } => self.ended(process, message, handler, Some(how)),
            Event::Dropped { process, message, handler } => self.ended(process, message, handler, None),
            Event::Crashed { process } | Event::Stopped { process, .. } => {
                self.running.retain(|_, other| *other != process);
            }
            Event::Given { message, .. } => {
                let leases = self.rows.values_mut().filter(|row| row.message == message);
                leases.filter_map(|row| row.lease.as_mut()).for_each(|lease| lease.is_mixed = true);
            }
            _ => {}
        }
    }
}
