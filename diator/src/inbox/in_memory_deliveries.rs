use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{InMemoryInbox, Turn};
use crate::BoxError;
use crate::deliveries::{
    DeadReason, DeliveryFilter, DeliveryLease, DeliverySettlement, DeliveryState, DeliveryStatus, DeliveryStore,
    DeliveryVerdict, KeptDelivery, LeasedDelivery, NewDelivery, NewState,
};
use crate::subscription::Settled;

/// The delivery store of an [`InMemoryInbox`], by tokio's clock.
pub(super) struct InMemoryDeliveries(pub(super) InMemoryInbox);

/// What it keeps.
#[derive(Default)]
pub(super) struct Rows {
    /// By their numbers.
    rows: BTreeMap<i64, Row>,
    last: i64,
}

struct Row {
    delivery: NewDelivery,
    state: State,
    /// How often it has been leased.
    leases: i64,
    lost: u32,
}

enum State {
    Waiting {
        due: Instant,
        /// The end of the lease, if there is one.
        leased: Option<Instant>,
    },
    Dead {
        reason: DeadReason,
        at: Instant,
    },
}

impl Row {
    fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead { .. })
    }

    /// Whether a process has it in hand.
    fn is_leased(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { leased: Some(until), .. } if until > now)
    }

    /// From when on it can be leased, if it is its turn.
    fn free_at(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { due, leased } => Some(leased.unwrap_or(due).max(due)),
            State::Dead { .. } => None,
        }
    }

    fn turn(&self) -> Option<(&str, Turn<'_>)> {
        let key = self.delivery.key.as_deref().filter(|_| self.delivery.holds_key)?;
        Some((&self.delivery.endpoint, Turn { topic: &self.delivery.topic, key }))
    }

    fn wait(&mut self, due: Instant) {
        self.state = State::Waiting { due, leased: None };
    }
}

impl Rows {
    /// Whether a row of this endpoint holds the key.
    pub(super) fn hold(&self, endpoint: &str, turn: Turn<'_>) -> bool {
        self.rows.values().any(|row| row.turn() == Some((endpoint, turn)))
    }

    fn has(&self, new: &NewDelivery) -> bool {
        let same = |kept: &NewDelivery| {
            (&kept.endpoint, &kept.handler, kept.message) == (&new.endpoint, &new.handler, new.message)
        };
        self.rows.values().any(|row| same(&row.delivery))
    }

    fn put(&mut self, delivery: NewDelivery, now: Instant) {
        let state = match &delivery.state {
            NewState::Waiting { after } => State::Waiting { due: now + *after, leased: None },
            NewState::Dead(reason) => State::Dead { reason: reason.clone(), at: now },
        };
        self.last += 1;
        self.rows.insert(self.last, Row { delivery, state, leases: 0, lost: 0 });
    }

    /// Those whose turn it is, each with the number of the row.
    fn heads(&mut self) -> impl Iterator<Item = (i64, &mut Row)> {
        let mut held = HashSet::new();
        let mut behind = HashSet::new();
        for (&id, row) in &self.rows {
            if row.turn().is_some_and(|turn| !held.insert(turn)) {
                behind.insert(id);
            }
        }
        let heads = self.rows.iter_mut().filter(move |(id, _)| !behind.contains(id));
        heads.map(|(&id, row)| (id, row))
    }

    /// The row that this lease is of, if it has not ended.
    fn leased(&mut self, lease: DeliveryLease, now: Instant) -> Option<&mut Row> {
        self.rows.get_mut(&lease.id).filter(|row| row.leases == lease.lease && row.is_leased(now))
    }

    fn select(&self, filter: &DeliveryFilter, which: impl Fn(&Row) -> bool, now: Instant) -> Vec<KeptDelivery> {
        let kept = self.rows.iter().filter(|(_, row)| which(row)).map(|(&id, row)| {
            let state = match &row.state {
                State::Waiting { due, .. } => {
                    DeliveryState::Waiting { due: by_the_wall(*due, now), leased: row.is_leased(now) }
                }
                State::Dead { reason, at } => DeliveryState::Dead { reason: reason.clone(), at: by_the_wall(*at, now) },
            };
            KeptDelivery::new(id, row.delivery.clone(), state)
        });
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        kept.filter(|kept| filter.takes(kept)).take(most).collect()
    }

    fn status(&self, now: Instant) -> Vec<DeliveryStatus> {
        let mut endpoints: BTreeMap<&str, DeliveryStatus> = BTreeMap::new();
        let mut heads = HashSet::new();
        let mut parked = HashSet::new();
        for row in self.rows.values() {
            let endpoint = &*row.delivery.endpoint;
            let status = endpoints.entry(endpoint).or_default();
            endpoint.clone_into(&mut status.endpoint);
            let is_head = row.turn().is_none_or(|turn| heads.insert(turn));
            if row.is_dead() {
                status.dead += 1;
                parked.extend(row.turn().filter(|_| is_head));
                continue;
            }
            status.waiting += 1;
            status.parked += u64::from(row.turn().is_some_and(|turn| parked.contains(&turn)));
            if let Some(free) = row.free_at().filter(|&free| is_head && free <= now) {
                let overdue = (now - free).as_secs_f64();
                status.overdue_seconds = Some(status.overdue_seconds.map_or(overdue, |other| other.max(overdue)));
            }
        }
        endpoints.into_values().collect()
    }
}

/// Tokio's clock tells no date.
fn by_the_wall(time: Instant, now: Instant) -> SystemTime {
    let wall = SystemTime::now();
    match time.checked_duration_since(now) {
        Some(ahead) => wall + ahead,
        None => wall - (now - time),
    }
}

#[async_trait]
impl DeliveryStore for InMemoryDeliveries {
    async fn put(&self, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        for new in deliveries {
            if entries.rows.has(new) || entries.is_handled(new) {
                continue;
            }
            if let NewState::Dead(_) = new.state {
                entries.note_done(new);
            }
            entries.rows.put(new.clone(), now);
        }
        drop(entries);
        self.0.wake();
        Ok(())
    }

    async fn lease(&self, endpoint: &str, most: u32, period: Duration) -> Result<Vec<LeasedDelivery>, BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        let ours = entries
            .rows
            .heads()
            .filter(|(_, row)| *row.delivery.endpoint == *endpoint && row.free_at().is_some_and(|free| free <= now));
        let lease = |(id, row): (i64, &mut Row)| {
            let State::Waiting { leased, .. } = &mut row.state else { return None };
            row.lost += u32::from(leased.is_some());
            *leased = Some(now + period);
            row.leases += 1;
            let lease = DeliveryLease { id, lease: row.leases };
            Some(LeasedDelivery { lost: row.lost, ..LeasedDelivery::new(lease, row.delivery.clone()) })
        };
        Ok(ours.take(most as usize).filter_map(lease).collect())
    }

    fn extends_beside_handlers(&self) -> bool {
        true
    }

    async fn extend(&self, leases: &[DeliveryLease], period: Duration) -> Result<Vec<Settled>, BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        let mut extend = |&lease: &DeliveryLease| match entries.rows.leased(lease, now).map(|row| &mut row.state) {
            Some(State::Waiting { leased, .. }) => {
                *leased = Some(now + period);
                Settled::Done
            }
            _ => Settled::LockLost,
        };
        Ok(leases.iter().map(&mut extend).collect())
    }

    async fn settle(&self, settlements: &[DeliverySettlement]) -> Result<Vec<Settled>, BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        let mut settle = |settlement: &DeliverySettlement| {
            let Some(row) = entries.rows.leased(settlement.lease, now) else { return Settled::LockLost };
            match &settlement.verdict {
                DeliveryVerdict::Handled => _ = entries.rows.rows.remove(&settlement.lease.id),
                DeliveryVerdict::Later { after, failures, last_failure } => {
                    row.delivery.failures = *failures;
                    row.delivery.last_failure = last_failure.clone().or(row.delivery.last_failure.take());
                    row.wait(now + *after);
                }
                DeliveryVerdict::Released => row.wait(now),
                DeliveryVerdict::Dead { reason, failures, holds_key } => {
                    row.delivery.failures = *failures;
                    row.delivery.last_failure = None;
                    row.delivery.holds_key = *holds_key && row.delivery.key.is_some();
                    row.state = State::Dead { reason: reason.clone(), at: now };
                    let dead = row.delivery.clone();
                    entries.note_done(&dead);
                }
            }
            Settled::Done
        };
        Ok(settlements.iter().map(&mut settle).collect())
    }

    async fn next_due(&self, endpoint: &str) -> Result<Option<Duration>, BoxError> {
        let mut entries = self.0.lock();
        let ours = entries.rows.heads().filter(|(_, row)| *row.delivery.endpoint == *endpoint);
        let next = ours.filter_map(|(_, row)| row.free_at()).min();
        Ok(next.map(|next| next.saturating_duration_since(Instant::now())))
    }

    async fn is_held(&self, endpoint: &str, turn: Turn<'_>) -> Result<bool, BoxError> {
        Ok(self.0.lock().rows.hold(endpoint, turn))
    }

    async fn woken(&self) {
        self.0.woken().await;
    }

    async fn status(&self) -> Result<Vec<DeliveryStatus>, BoxError> {
        Ok(self.0.lock().rows.status(Instant::now()))
    }

    async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<KeptDelivery>, BoxError> {
        Ok(self.0.lock().rows.select(filter, |_| true, Instant::now()))
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        let dead = entries.rows.select(filter, Row::is_dead, now);
        for KeptDelivery { id, .. } in &dead {
            if let Some(row) = entries.rows.rows.get_mut(id) {
                row.delivery.generation = row.delivery.generation.saturating_add(1);
                row.delivery.failures = 0;
                row.lost = 0;
                row.wait(now);
            }
        }
        drop(entries);
        self.0.wake();
        Ok(dead.len() as u64)
    }

    async fn hasten(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        let waiting = entries.rows.select(filter, |row| !row.is_dead() && !row.is_leased(now), now);
        for KeptDelivery { id, .. } in &waiting {
            if let Some(State::Waiting { due, .. }) = entries.rows.rows.get_mut(id).map(|row| &mut row.state) {
                *due = now.min(*due);
            }
        }
        drop(entries);
        self.0.wake();
        Ok(waiting.len() as u64)
    }

    async fn discard(&self, filter: &DeliveryFilter) -> Result<u64, BoxError> {
        let now = Instant::now();
        let mut entries = self.0.lock();
        let free = entries.rows.select(filter, |row| !row.is_leased(now), now);
        for KeptDelivery { id, .. } in &free {
            entries.rows.rows.remove(id);
        }
        drop(entries);
        self.0.wake();
        Ok(free.len() as u64)
    }
}
