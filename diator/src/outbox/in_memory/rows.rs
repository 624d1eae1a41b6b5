//! The rows of an outbox in memory, and who owns them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::broker::OutboundMessage;
use crate::outbox::{
    DeadLetter, DeadLetterFilter, LeasedPartition, OutboxRow, ParkedKey, Place, RelayId, Settlement, Skip,
    SkippedRoute, StagedMessage, Verdict, partition_of,
};

#[derive(Default)]
pub(super) struct State {
    /// All rows by their number, in every state.
    pub(super) rows: BTreeMap<i64, Row>,
    /// The pending rows, by partition and number.
    pub(super) pending: BTreeSet<(u16, i64)>,
    pub(super) scheduled: Vec<(Instant, OutboundMessage)>,
    pub(super) leases: HashMap<u16, Lease>,
    pub(super) cleaner: Option<(RelayId, Instant)>,
    pub(super) last_seq: i64,
    pub(super) last_dead: i64,
    pub(super) last_lease: u64,
}

pub(super) struct Row {
    pub(super) partition: u16,
    pub(super) message: OutboundMessage,
    pub(super) attempts: u32,
    pub(super) written: Instant,
    /// The first epoch that may publish it: later than that of its last replay.
    pub(super) from_epoch: i64,
    pub(super) status: Status,
}

pub(super) enum Status {
    Pending,
    Sent(Instant),
    Dead { id: i64, reason: String, at: SystemTime, parks_key: bool },
}

#[derive(Default)]
pub(super) struct Lease {
    pub(super) epoch: i64,
    pub(super) until: Option<Instant>,
    /// The number of the lease in the outbox: the partition that was owned longest ago comes first.
    pub(super) number: u64,
}

impl State {
    pub(super) fn write(&mut self, StagedMessage { message, delay }: StagedMessage) {
        let now = Instant::now();
        match delay {
            Some(delay) => self.scheduled.push((later(now, delay), message)),
            None => self.append(message, now),
        }
    }

    pub(super) fn append(&mut self, message: OutboundMessage, written: Instant) {
        self.last_seq += 1;
        let partition = partition_of(&message);
        let row = Row { partition, message, attempts: 0, written, from_epoch: 0, status: Status::Pending };
        self.rows.insert(self.last_seq, row);
        self.pending.insert((partition, self.last_seq));
    }

    /// Gives a row back to the owners of its partition that come after this one.
    pub(super) fn replay(&mut self, seq: i64) {
        let Some(row) = self.rows.get_mut(&seq) else { return };
        let epoch = self.leases.get(&row.partition).map_or(0, |lease| lease.epoch);
        (row.status, row.attempts, row.from_epoch) = (Status::Pending, 0, epoch + 1);
        self.pending.insert((row.partition, seq));
    }

    /// Gives places to the messages whose delay is over.
    pub(super) fn promote(&mut self, now: Instant) -> bool {
        let (mut due, later): (Vec<_>, Vec<_>) =
            mem::take(&mut self.scheduled).into_iter().partition(|(at, _)| *at <= now);
        self.scheduled = later;
        due.sort_by_key(|(at, _)| *at);
        let any = !due.is_empty();
        due.into_iter().for_each(|(_, message)| self.append(message, now));
        any
    }

    pub(super) fn parked(&self) -> HashSet<ParkedKey> {
        let parks = self.rows.values().filter(|row| matches!(row.status, Status::Dead { parks_key: true, .. }));
        parks.filter_map(|row| ParkedKey::of(&row.message)).collect()
    }

    /// Returns the pending rows that no dead letter holds back.
    pub(super) fn waiting<'a>(&'a self, parked: &'a HashSet<ParkedKey>) -> impl Iterator<Item = &'a Row> {
        let pending = self.pending.iter().filter_map(|(_, seq)| self.rows.get(seq));
        pending.filter(|row| parked.is_empty() || ParkedKey::of(&row.message).is_none_or(|key| !parked.contains(&key)))
    }

    /// Returns the age of the oldest message that a relay could publish, even if it has no place yet.
    pub(super) fn oldest(&self, parked: &HashSet<ParkedKey>) -> Option<Duration> {
        let now = Instant::now();
        let due = self.scheduled.iter().map(|(at, _)| *at).filter(|at| *at <= now);
        let written = self.waiting(parked).map(|row| row.written);
        due.chain(written).min().map(|oldest| now.duration_since(oldest))
    }

    /// Whether nobody owns the partition.
    pub(super) fn is_free(&self, partition: u16, now: Instant) -> bool {
        self.leases.get(&partition).and_then(|lease| lease.until).is_none_or(|until| until <= now)
    }

    pub(super) fn own(&mut self, partition: u16, until: Instant) -> LeasedPartition {
        self.last_lease += 1;
        let lease = self.leases.entry(partition).or_default();
        lease.epoch += 1;
        lease.number = self.last_lease;
        lease.until = Some(until);
        LeasedPartition { partition, epoch: lease.epoch }
    }

    pub(super) fn settle(&mut self, Settlement { place, epoch, verdict }: &Settlement) {
        let owns = self.leases.get(&place.partition).is_some_and(|lease| lease.epoch == *epoch);
        let Some(row) = self.rows.get_mut(&place.seq).filter(|row| row.from_epoch <= *epoch) else { return };
        let status = match (&row.status, verdict) {
            (Status::Pending, Verdict::Sent) => Status::Sent(Instant::now()),
            (Status::Pending, Verdict::Refused { attempts }) if owns => {
                row.attempts = row.attempts.max(*attempts);
                return;
            }
            (Status::Pending, Verdict::Dead { reason, parks_key }) if owns => {
                self.last_dead += 1;
                row.attempts += 1;
                let (id, reason, at) = (self.last_dead, reason.clone(), SystemTime::now());
                Status::Dead { id, reason, at, parks_key: *parks_key }
            }
            _ => return,
        };
        row.status = status;
        self.pending.remove(&(row.partition, place.seq));
    }

    pub(super) fn dead(&self, filter: &DeadLetterFilter) -> Vec<(i64, DeadLetter)> {
        let letter = |(seq, row): (&i64, &Row)| {
            let Status::Dead { id, reason, at, parks_key } = &row.status else { return None };
            let letter = DeadLetter::new(*id, Ok(row.message.clone()), reason, *at);
            let letter = DeadLetter { attempts: row.attempts, parks_key: *parks_key, ..letter };
            filter.takes(&letter).then_some((*seq, letter))
        };
        let mut dead: Vec<_> = self.rows.iter().filter_map(letter).collect();
        dead.sort_by_key(|(_, letter)| letter.id);
        dead.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        dead
    }
}

impl Row {
    pub(super) fn is_skipped(&self, skip: &Skip) -> bool {
        let key = ParkedKey::of(&self.message);
        key.is_some_and(|key| skip.keys.contains(&key)) || skip.routes.contains(&SkippedRoute::of(&self.message))
    }

    pub(super) fn claimed(&self, seq: i64) -> OutboxRow {
        let place = Place { partition: self.partition, seq };
        OutboxRow { place, attempts: self.attempts, message: self.message.clone() }
    }
}

/// Adds a duration to a moment; the result is far away if the clock has no such moment.
fn later(moment: Instant, time: Duration) -> Instant {
    moment.checked_add(time).unwrap_or_else(|| moment + Duration::from_secs(100 * 365 * 24 * 3_600))
}

/// Converts a moment of tokio's clock to a time of day.
pub(super) fn time_of(at: Instant) -> SystemTime {
    SystemTime::now() - at.elapsed()
}
