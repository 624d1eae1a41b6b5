use diator::deliveries::{DeliveryFilter, DeliveryStatus, KeptDelivery};
use tokio::time::Instant;

use super::Database;
use super::row::State;
use crate::engine::At;
use crate::trace::Event;

/// What an operator sees and does.
impl Database {
    pub(super) fn status(&self, endpoint: &str, now: Instant) -> DeliveryStatus {
        let mut status = DeliveryStatus::default();
        endpoint.clone_into(&mut status.endpoint);
        for (&id, row) in &self.rows {
            let head = self.head(id);
            status.dead += u64::from(row.is_dead());
            status.waiting += u64::from(!row.is_dead());
            status.parked += u64::from(!row.is_dead() && self.rows[&head].is_dead());
            if head == id && row.is_due(now) {
                let since = row.free_at().map_or(0.0, |due| (now - due).as_secs_f64());
                status.overdue_seconds = Some(status.overdue_seconds.unwrap_or_default().max(since));
            }
        }
        status
    }

    pub(super) fn list(&self, filter: &DeliveryFilter) -> Vec<KeptDelivery> {
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        let shown = self.rows.iter().map(|(&id, row)| row.shown(id));
        shown.filter(|kept| filter.takes(kept)).take(most).collect()
    }

    pub(super) fn replay(&mut self, filter: &DeliveryFilter, at: &mut At<'_>) -> u64 {
        let mut of_dead = filter.clone();
        if of_dead.dead == Some(false) {
            return 0;
        }
        of_dead.dead = Some(true);
        let dead = self.list(&of_dead);
        for kept in &dead {
            let Some(row) = self.rows.get_mut(&kept.id) else { continue };
            row.state = State::Waiting { due: at.now };
            row.delivery.generation += 1;
            (row.delivery.failures, row.lost) = (0, 0);
            at.note(Event::Replayed { row: kept.id });
        }
        dead.len() as u64
    }

    pub(super) fn hasten(&mut self, filter: &DeliveryFilter, at: &mut At<'_>) -> u64 {
        self.pass(at);
        let shown = self.list(filter);
        let mut hastened = 0;
        for kept in shown {
            let Some(row) = self.rows.get_mut(&kept.id).filter(|row| !row.is_leased()) else { continue };
            if let State::Waiting { due } = &mut row.state {
                *due = at.now.min(*due);
                hastened += 1;
            }
        }
        hastened
    }

    pub(super) fn discard(&mut self, filter: &DeliveryFilter, at: &mut At<'_>) -> u64 {
        self.pass(at);
        let shown = self.list(filter);
        let free = shown.iter().filter(|kept| !self.rows[&kept.id].is_leased()).map(|kept| kept.id);
        let free: Vec<_> = free.collect();
        for &row in &free {
            self.rows.remove(&row);
            at.note(Event::Discarded { row });
        }
        free.len() as u64
    }
}
