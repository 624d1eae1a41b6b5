//! The life of a delivery from its verdict on: it is settled, given back, or lost.

use tokio::time::Instant;

use super::held::{Held, Stage};
use super::outcome::Outcome;
use super::run::Opening;
use super::settler::ToSettle;
use super::work::Message;
use crate::subscription::{DeliveryTag, Release, Settled, Settlement, Verdict};

impl Opening {
    /// Tells the engine what became of a delivery; the next of its key may begin.
    pub(super) fn settle(&mut self, tag: DeliveryTag, verdict: Verdict) {
        let Some(held) = self.held.get_mut(&tag) else { return };
        self.lanes.remove(tag);
        held.stage = Stage::Decided;
        let owner = held.owner;
        if self.bound.capabilities.settles_out_of_order {
            self.send_settlement(Settlement::new(tag, verdict));
        } else {
            for settlement in self.watermark.decide(owner, tag, verdict) {
                self.send_settlement(settlement);
            }
        }
    }

    fn send_settlement(&mut self, settlement: Settlement) {
        let Some(held) = self.held.get_mut(&settlement.tag) else { return };
        held.stage = Stage::Settling;
        self.settling += 1;
        // The settler goes when the opening does.
        let _sent = self.to_settle.send(ToSettle::Settle(held.owner, settlement));
    }

    pub(super) fn settled(&mut self, tag: DeliveryTag, answer: Settled, now: Instant) {
        if !matches!(self.held.get(&tag), Some(Held { stage: Stage::Settling, .. })) {
            return;
        }
        match answer {
            Settled::Done => self.remove(tag, now, false),
            Settled::LockLost => {
                self.bound.monitor.count(|health| health.lock_lost += 1);
                self.remove(tag, now, true);
            }
        }
    }

    pub(super) fn extended(&mut self, tag: DeliveryTag, answer: Settled, from: Instant, now: Instant) {
        match answer {
            Settled::Done => self.locks.extended(tag, from),
            Settled::LockLost => self.lock_lost(tag, now),
        }
    }

    /// Somebody else may have it by now: it is forgotten, and so are those of its key that must not overtake it.
    pub(super) fn lock_lost(&mut self, tag: DeliveryTag, now: Instant) {
        let Some(held) = self.held.get(&tag) else { return };
        if matches!(held.stage, Stage::Forgotten(_) | Stage::Settling) {
            // It is known; or the engine's answer to the settlement will tell.
            return;
        }
        self.bound.monitor.count(|health| health.lock_lost += 1);
        tracing::warn!(target: "diator", endpoint = &*self.bound.settings.name, "the lock of a delivery was lost");
        for behind in self.lanes.behind(tag) {
            self.give_up(behind, now);
        }
        self.forget(tag, now);
        if !self.bound.capabilities.settles_out_of_order {
            self.fail("a lock was lost, and nothing that came after it can be settled any more".into(), now);
        }
    }

    /// Gives a delivery back that is not handled; where the engine takes nothing back, it is forgotten.
    pub(super) fn give_up(&mut self, tag: DeliveryTag, now: Instant) {
        if self.bound.capabilities.release == Release::Impossible {
            self.forget(tag, now);
        } else {
            self.suspects.remove(tag);
            self.settle(tag, Verdict::Release);
        }
    }

    /// Nothing of it is settled any more; if it runs, it may end.
    pub(super) fn forget(&mut self, tag: DeliveryTag, now: Instant) {
        self.locks.remove(tag);
        let Some(held) = self.held.get_mut(&tag) else { return };
        match std::mem::replace(&mut held.stage, Stage::Decided) {
            Stage::Running(running) | Stage::Forgotten(running) => held.stage = Stage::Forgotten(running),
            stage => {
                held.stage = stage;
                self.drop_held(tag, now);
            }
        }
    }

    /// It is over at once, also if it runs.
    pub(super) fn cut(&mut self, tag: DeliveryTag, now: Instant) {
        if let Some(Held { stage: Stage::Running(running) | Stage::Forgotten(running), .. }) = self.held.get(&tag) {
            running.abort();
            self.running -= 1;
            self.drop_held(tag, now);
        }
    }

    pub(super) fn drop_held(&mut self, tag: DeliveryTag, now: Instant) {
        self.remove(tag, now, true);
    }

    fn remove(&mut self, tag: DeliveryTag, now: Instant, remembers: bool) {
        self.locks.remove(tag);
        self.lanes.remove(tag);
        self.suspects.remove(tag);
        self.pause.ended(tag, false);
        let Some(held) = self.held.remove(&tag) else { return };
        if matches!(held.stage, Stage::Settling) {
            self.settling -= 1;
        }
        if remembers || self.is_retried(&held) {
            self.bound.remember(held.work, now);
        }
    }

    /// Whether it comes again, although it is settled.
    fn is_retried(&self, held: &Held) -> bool {
        let work = held.work.as_ref();
        work.is_some_and(|work| {
            matches!(work.message, Message::Arrived(_)) && work.outcomes.iter().any(Outcome::is_pending)
        })
    }
}
