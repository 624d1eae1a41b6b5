//! The life of a delivery that cannot be handled now, or never, where there is a store to keep it.

use tokio::time::Instant;

use super::held::Stage;
use super::opening::Opening;
use super::outcome::{self, State};
use super::store::{row_of_all, rows_of_handlers};
use crate::deliveries::{DeadReason, NewDelivery};
use crate::subscription::{DeliveryTag, Verdict};

impl Opening {
    /// Each of its handlers that is not done becomes a row, or the row waits on.
    pub(super) fn keep(&mut self, tag: DeliveryTag, now: Instant) {
        let Some(work) = self.held.get(&tag).and_then(|held| held.work.as_ref()) else { return };
        if self.bound.of_rows {
            match outcome::next_due(&work.outcomes, now) {
                Some(due) => self.retry(tag, due.saturating_duration_since(now), now),
                None => self.dead(tag, outcome::reason(&work.outcomes).unwrap_or_default(), now),
            }
            return;
        }
        if work.delivered().is_none() {
            // Never acknowledged, whatever went wrong here: it comes again.
            self.fail("a message that is to be kept has no body any more".into(), now);
            self.give_back([tag], now);
            return;
        }
        let (message, rows) = (work.claimed, rows_of_handlers(&self.bound, work, now));
        for outcome in &work.outcomes {
            if let State::Dead { why, .. } = &outcome.state {
                work.mark_failed();
                self.bound.tell_dead(message, &format!("{}: {}", outcome.handler, why.text));
            }
        }
        self.send_rows(tag, rows, now);
    }

    /// It becomes a dead letter as a whole.
    pub(super) fn keep_dead(&mut self, tag: DeliveryTag, why: DeadReason, now: Instant) {
        let work = self.held.get(&tag).and_then(|held| held.work.as_ref());
        let row = work.filter(|_| self.bound.settings.dead_letters).and_then(|work| row_of_all(&self.bound, work, why));
        self.send_rows(tag, row.into_iter().collect(), now);
    }

    /// The engine hears that the delivery is done when the store has its rows, and not before; nor does its key go on.
    fn send_rows(&mut self, tag: DeliveryTag, rows: Vec<NewDelivery>, now: Instant) {
        if rows.is_empty() {
            self.settle(tag, Verdict::Ack, now);
        } else if let Some(held) = self.held.get_mut(&tag) {
            held.stage = Stage::Keeping;
            self.keeping += 1;
            self.stuck.add(tag, now);
            // The keeper goes when the opening does.
            let _sent = self.to_put.send((tag, rows));
        }
    }

    /// The store has its rows.
    pub(super) fn put(&mut self, tag: DeliveryTag, now: Instant) {
        if let Some(held) = self.held.get_mut(&tag)
            && matches!(held.stage, Stage::Keeping)
        {
            held.stage = Stage::Waiting;
            self.keeping -= 1;
            let behind = if self.draining.is_some() { self.lanes.behind(tag) } else { Vec::new() };
            self.settle(tag, Verdict::Ack, now);
            self.give_back(behind, now);
        }
    }
}
