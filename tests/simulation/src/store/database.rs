use std::collections::BTreeMap;
use std::time::Duration;

use diator::deliveries::{
    DeadReason, DeliveryLease, DeliverySettlement, DeliveryVerdict, LeasedDelivery, NewDelivery, NewState,
};
use diator::inbox::Seen;
use diator::subscription::Settled;

use super::entries::{Entries, Entry, Noted};
use super::row::{Row, State};
use crate::engine::At;
use crate::handlers::handler_number;
use crate::trace::{Event, RowState, RowVerdict, Why};

/// The database of a run, between the calls: the rows of the store, and what has entered the inbox.
#[derive(Default)]
pub(crate) struct Database {
    pub(super) rows: BTreeMap<i64, Row>,
    /// The number of the last row.
    last: i64,
    entries: Entries,
    /// The process of each transaction that has not ended.
    transactions: BTreeMap<u64, usize>,
    /// The number of the last transaction.
    last_transaction: u64,
}

impl Database {
    pub(super) fn begin(&mut self, process: usize) -> u64 {
        self.last_transaction += 1;
        self.transactions.insert(self.last_transaction, process);
        self.last_transaction
    }

    /// `turn` is the topic and the key, where a row that holds it comes first.
    pub(super) fn enter(&mut self, transaction: u64, entry: Entry, turn: Option<&(String, String)>) -> Seen {
        match self.entries.of(&entry) {
            // What comes when its transaction has gone enters nothing.
            _ if !self.transactions.contains_key(&transaction) => Seen::Busy,
            Some(Noted::Done) => Seen::Before,
            Some(Noted::Open { .. }) => Seen::Busy,
            None if turn.is_some_and(|(topic, key)| self.is_held(topic, key)) => Seen::Behind,
            None => {
                self.entries.note(entry, Noted::Open { transaction });
                Seen::First
            }
        }
    }

    /// Whether a row holds the key.
    pub(super) fn is_held(&self, topic: &str, key: &str) -> bool {
        self.rows.values().any(|row| row.holds(topic, key))
    }

    /// Whether the transaction of a handler is open.
    pub(super) fn is_writing(&self) -> bool {
        self.entries.is_any_open()
    }

    /// Whether the transaction was still there.
    pub(super) fn commit(&mut self, transaction: u64) -> Option<Entry> {
        self.transactions.remove(&transaction)?;
        let entry = self.entries.take(transaction)?;
        self.entries.note(entry.clone(), Noted::Done);
        Some(entry)
    }

    pub(super) fn roll_back(&mut self, transaction: u64) {
        self.transactions.remove(&transaction);
        self.entries.take(transaction);
    }

    /// All transactions of a process end.
    pub(crate) fn lose(&mut self, process: usize) {
        let its = self.transactions.iter().filter(|(_, other)| **other == process).map(|(&number, _)| number);
        let its: Vec<_> = its.collect();
        its.into_iter().for_each(|transaction| self.roll_back(transaction));
    }

    pub(super) fn put(&mut self, process: usize, deliveries: &[NewDelivery], at: &mut At<'_>) {
        for new in deliveries {
            let is_it = |row: &Row| row.delivery.message == new.message && row.delivery.handler == new.handler;
            if self.rows.values().any(is_it) || self.entries.is_done(new.message, &new.handler) {
                continue;
            }
            let (state, told) = match &new.state {
                NewState::Waiting { after } => {
                    (State::Waiting { due: at.now + *after }, RowState::Waiting { after: *after })
                }
                NewState::Dead(reason) => (State::Dead(reason.clone()), RowState::Dead { why: why(reason) }),
                _ => continue,
            };
            self.last += 1;
            let entry = position(new);
            let message = at.trace.message_of(entry);
            at.note(Event::Kept {
                process,
                row: self.last,
                entry,
                message,
                handler: handler_number(&new.handler),
                state: told,
                failures: new.failures,
            });
            self.rows.insert(self.last, Row { delivery: new.clone(), state, lease: 0, lost: 0 });
            self.note_dead(self.last);
        }
    }

    /// The inbox knows of a dead letter that its handler is done.
    fn note_dead(&mut self, id: i64) {
        let Some(row) = self.rows.get(&id).filter(|row| row.is_dead()) else { return };
        let NewDelivery { message, generation, handler, .. } = &row.delivery;
        let entry = Entry { message: *message, handler: handler.clone(), generation: *generation };
        self.entries.note(entry, Noted::Done);
    }

    /// The row that comes first of those that hold the key of this one.
    pub(super) fn head(&self, id: i64) -> i64 {
        let row = &self.rows[&id].delivery;
        let Some(key) = row.key.as_deref().filter(|_| row.holds_key) else { return id };
        let before = self.rows.range(..id).find(|(_, other)| other.holds(&row.topic, key));
        before.map_or(id, |(&head, _)| head)
    }

    /// What time brings: leases that are over.
    pub(super) fn pass(&mut self, at: &mut At<'_>) {
        for (&id, row) in &mut self.rows {
            if let State::Leased { until } = row.state
                && until <= at.now
            {
                row.state = State::Waiting { due: until };
                row.lost += 1;
                at.note(Event::LeaseOver { row: id, lease: row.lease, since: until - at.begun });
            }
        }
    }

    pub(super) fn lease(
        &mut self,
        process: usize,
        most: usize,
        period: Duration,
        at: &mut At<'_>,
    ) -> Vec<LeasedDelivery> {
        self.pass(at);
        let is_free = |id: &i64| self.rows[id].is_due(at.now) && self.head(*id) == *id;
        let mut free: Vec<_> = self.rows.keys().copied().filter(is_free).collect();
        free.sort_by_key(|id| self.rows[id].free_at());
        let mut leased = Vec::new();
        for id in free.into_iter().take(most) {
            let Some(row) = self.rows.get_mut(&id) else { continue };
            row.lease += 1;
            row.state = State::Leased { until: at.now + period };
            let lease = DeliveryLease { id, lease: row.lease };
            let until = at.now + period - at.begun;
            at.note(Event::Leased { process, row: id, lease: row.lease, until });
            let mut one = LeasedDelivery::new(lease, row.delivery.clone());
            one.lost = row.lost;
            leased.push(one);
        }
        leased
    }

    pub(super) fn extend(&mut self, leases: &[DeliveryLease], period: Duration, at: &mut At<'_>) -> Vec<Settled> {
        self.pass(at);
        let mut extend = |&lease: &DeliveryLease| match self.rows.get_mut(&lease.id).filter(|row| row.has(lease)) {
            Some(row) => {
                row.state = State::Leased { until: at.now + period };
                at.note(Event::LeaseExtended { row: lease.id });
                Settled::Done
            }
            None => Settled::LockLost,
        };
        leases.iter().map(&mut extend).collect()
    }

    pub(super) fn settle(
        &mut self,
        process: usize,
        settlements: &[DeliverySettlement],
        at: &mut At<'_>,
    ) -> Vec<Settled> {
        self.pass(at);
        settlements.iter().map(|settlement| self.settle_one(process, settlement, at)).collect()
    }

    fn settle_one(&mut self, process: usize, settlement: &DeliverySettlement, at: &mut At<'_>) -> Settled {
        let DeliverySettlement { lease, verdict } = settlement;
        let Some(row) = self.rows.get_mut(&lease.id).filter(|row| row.has(*lease)) else { return Settled::LockLost };
        let told = match verdict {
            DeliveryVerdict::Handled => {
                self.rows.remove(&lease.id);
                RowVerdict::Handled
            }
            DeliveryVerdict::Later { after, failures, .. } => {
                row.state = State::Waiting { due: at.now + *after };
                row.delivery.failures = *failures;
                RowVerdict::Later { after: *after, failures: *failures }
            }
            DeliveryVerdict::Dead { reason, failures, holds_key } => {
                row.state = State::Dead(reason.clone());
                row.delivery.failures = *failures;
                row.delivery.holds_key = *holds_key;
                RowVerdict::Dead { why: why(reason) }
            }
            _ => {
                row.state = State::Waiting { due: at.now };
                RowVerdict::Released
            }
        };
        self.note_dead(lease.id);
        at.note(Event::RowSettled { process, row: lease.id, lease: lease.lease, verdict: told });
        Settled::Done
    }

    pub(super) fn next_due(&mut self, at: &mut At<'_>) -> Option<Duration> {
        self.pass(at);
        let heads = self.rows.iter().filter(|&(&id, _)| self.head(id) == id);
        let next = heads.filter_map(|(_, row)| row.free_at()).min()?;
        Some(next.saturating_duration_since(at.now))
    }

    /// The lease of some row ends before its time.
    pub(crate) fn misbehave(&mut self, at: &mut At<'_>) {
        let leased: Vec<_> = self.rows.iter().filter(|(_, row)| row.is_leased()).map(|(&id, _)| id).collect();
        if leased.is_empty() {
            return;
        }
        let id = at.random.pick(&leased);
        if let Some(row) = self.rows.get_mut(&id) {
            (row.state, row.lost) = (State::Waiting { due: at.now }, row.lost + 1);
            at.note(Event::LeaseTaken { row: id });
        }
    }

    /// Whether nothing is left that an endpoint would handle; dead letters stay, and what they park.
    pub(crate) fn is_drained(&self) -> bool {
        self.rows.keys().all(|&id| self.rows[&self.head(id)].is_dead() || self.rows[&id].is_dead())
    }

    /// The number of the present lease, for an endpoint that looks as if leases were not fenced.
    pub(crate) fn present_lease(&self, id: i64) -> Option<i64> {
        self.rows.get(&id).map(|row| row.lease)
    }

    /// All rows are of the first generation again, for a store that looks as if it did not count replays.
    pub(crate) fn take_generations_back(&mut self) {
        self.rows.values_mut().for_each(|row| row.delivery.generation = 0);
    }
}

/// The entry of the engine that a row came from.
fn position(delivery: &NewDelivery) -> usize {
    delivery.position.as_deref().and_then(|position| position.parse().ok()).unwrap_or(usize::MAX)
}

fn why(reason: &DeadReason) -> Why {
    match &*reason.kind {
        "Unreadable" => Why::Unreadable,
        "Unknown" => Why::Unknown,
        "Poison" => Why::Poison,
        "Twin" | "TooOld" | "NoHandler" => Why::Other,
        _ => Why::Failed,
    }
}
