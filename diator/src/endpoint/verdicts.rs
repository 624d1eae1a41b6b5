//! The life of a delivery from its verdict on: it is settled, given back, or lost.

use tokio::time::Instant;
use uuid::Uuid;

use super::held::{Held, Said, Stage};
use super::opening::Opening;
use super::settler::ToSettle;
use crate::subscription::{DeliveryTag, Order, Release, Settled, Settlement, Verdict};

impl Opening {
    /// Tells the engine what became of a delivery; the next of its key may begin, and others of its message have the same end.
    pub(super) fn settle(&mut self, tag: DeliveryTag, verdict: Verdict, now: Instant) {
        let Some(held) = self.held.get_mut(&tag) else { return };
        if held.stage.is_decided() {
            return;
        }
        self.lanes.remove(tag);
        self.stuck.remove(tag);
        self.decided += 1;
        let said = Said::by(&verdict);
        held.stage = Stage::Decided { said };
        if let Some(work) = &mut held.work {
            // Only its outcomes are needed still, if the engine does not take the verdict.
            work.forget_message();
        }
        let (owner, message) = (held.owner, held.work.as_ref().and_then(|work| work.claimed));
        let same = (said != Said::Back && !self.twins.is_empty()).then(|| verdict.clone());
        if self.bound.capabilities.settles_out_of_order {
            self.send_settlement(Settlement::new(tag, verdict));
        } else {
            for settlement in self.watermark.decide(owner, tag, verdict) {
                self.send_settlement(settlement);
            }
        }
        if let Some(message) = message {
            self.let_twins_go(tag, message, same, now);
        }
    }

    /// Other deliveries of the message wait for its verdict, and not until the engine knows it: a verdict may have to wait until those
    /// before it have one, and another delivery of its message may be among them. They get the same one, unless the message comes again.
    fn let_twins_go(&mut self, tag: DeliveryTag, message: Uuid, same: Option<Verdict>, now: Instant) {
        let said = self.held.get(&tag).and_then(|held| held.stage.said());
        if let Some(verdict) = same {
            for twin in self.take_twins(message) {
                if self.held.get(&twin).is_some_and(Held::is_waiting) {
                    match &verdict {
                        Verdict::DeadLetter { reason, .. } => self.bound.tell_dead(Some(message), reason),
                        _ => self.bound.tell_duplicate(message, twin),
                    }
                    self.settle(twin, verdict.clone(), now);
                }
            }
        } else if said == Some(Said::Back) && !self.bound.capabilities.settles_out_of_order {
            let work = self.held.get_mut(&tag).and_then(|held| held.work.take());
            self.bound.remember(work, now);
            self.free_message(tag, Some(message));
        }
    }

    fn send_settlement(&mut self, settlement: Settlement) {
        let Some(held) = self.held.get_mut(&settlement.tag) else { return };
        let Stage::Decided { said } = held.stage else { return };
        held.stage = Stage::Settling { said };
        self.settling += 1;
        self.outgoing.push((held.owner, settlement));
    }

    /// Tells the engine in one call what was settled since the last time.
    pub(super) fn flush(&mut self) {
        if !self.outgoing.is_empty() {
            // The settler goes when the opening does.
            let _sent = self.to_settle.send(ToSettle::Settle(std::mem::take(&mut self.outgoing)));
        }
    }

    pub(super) fn settled(&mut self, tag: DeliveryTag, answer: Settled, now: Instant) {
        let Some(&Held { stage: Stage::Settling { said }, owner, .. }) = self.held.get(&tag) else { return };
        match answer {
            // One that was cut off may have nothing left to do when it comes again.
            Settled::Done => self.remove(tag, now, said == Said::Back),
            Settled::LockLost => {
                self.tell_lock_lost(tag);
                self.remove(tag, now, true);
                if !self.bound.capabilities.settles_out_of_order {
                    self.end_owner(owner, tag, "a lock was lost", now);
                }
            }
        }
    }

    /// The engine does not take this verdict: the delivery stays in hand, for people to see, until the opening ends.
    ///
    /// Where the engine only knows offsets, it ends the partition's ownership, because nothing that comes after it could be settled.
    pub(super) fn refused(&mut self, tag: DeliveryTag, now: Instant) {
        let Some(held) = self.held.get_mut(&tag) else { return };
        if !matches!(held.stage, Stage::Settling { .. }) {
            return;
        }
        held.stage = Stage::Refused;
        self.settling -= 1;
        let owner = held.owner;
        self.bound.monitor.count(|health| health.refused += 1);
        let text = "the engine refuses the verdict on a message: the endpoint does not repeat it before it opens anew";
        tracing::error!(target: "diator", endpoint = &*self.bound.settings.name, delivery = tag.0, "{text}");
        if let Some(work) = held.work.take() {
            let message = work.claimed;
            self.bound.remember(Some(work), now);
            self.free_message(tag, message);
        }
        if !self.bound.capabilities.settles_out_of_order {
            self.end_owner_of_refused(owner, tag, now);
        }
    }

    pub(super) fn extended(&mut self, tag: DeliveryTag, answer: Settled, from: Instant, now: Instant) {
        match answer {
            Settled::Done => self.locks.extended(tag, from),
            Settled::LockLost => self.lock_lost(tag, now),
        }
    }

    /// Somebody else may have it by now: it is forgotten. Those that must not overtake it go with it, and come again in order.
    pub(super) fn lock_lost(&mut self, tag: DeliveryTag, now: Instant) {
        self.call_back();
        let Some(held) = self.held.get(&tag) else { return };
        if matches!(held.stage, Stage::Forgotten(_) | Stage::Cut { .. } | Stage::Settling { .. }) {
            // It is known; or the engine's answer to the settlement will tell.
            return;
        }
        let owner = held.owner;
        self.tell_lock_lost(tag);
        // A message that is done is not overtaken by those behind it, and has no order any more.
        let has_order = self.lanes.has_order(tag);
        self.forget(tag, now);
        if !self.bound.capabilities.settles_out_of_order {
            self.end_owner(owner, tag, "a lock was lost", now);
        } else if has_order {
            self.fail("a lock was lost, and no message may overtake another one of its key".into(), now);
        }
    }

    fn tell_lock_lost(&self, tag: DeliveryTag) {
        self.bound.monitor.count(|health| health.lock_lost += 1);
        let text = "the lock of a delivery was lost: another process may have the message, too";
        tracing::warn!(target: "diator", endpoint = &*self.bound.settings.name, delivery = tag.0, "{text}");
    }

    /// Gives a delivery back that is not handled; where it cannot be given back now, it is forgotten.
    ///
    /// In order per key, only an opening that ends gives deliveries back: those behind them would come before them.
    pub(super) fn give_up(&mut self, tag: DeliveryTag, now: Instant) {
        if self.bound.settings.order == Order::PerKey && self.draining.is_none() {
            self.forget(tag, now);
        } else {
            self.release(tag, now);
        }
    }

    /// Gives a delivery back whose lock does not last long enough.
    ///
    /// In order per key it ends the opening, because those behind it that the driver has read already would overtake it.
    pub(super) fn release_stale(&mut self, tag: DeliveryTag, now: Instant) {
        let Some(held) = self.held.get(&tag) else { return };
        let capabilities = self.bound.capabilities;
        let why = "a lock that cannot be extended does not last";
        if self.lanes.has_order(tag) {
            self.fail(format!("{why}, and no message may overtake another one of its key").into(), now);
        } else if !capabilities.settles_out_of_order && capabilities.release == Release::Impossible {
            self.end_owner(held.owner, tag, why, now);
        } else {
            self.release(tag, now);
        }
    }

    fn release(&mut self, tag: DeliveryTag, now: Instant) {
        if self.bound.capabilities.release == Release::Impossible {
            self.forget(tag, now);
        } else {
            self.suspects.remove(tag);
            self.settle(tag, Verdict::Release, now);
        }
    }

    /// Nothing of it is settled any more; if it runs, it may end.
    pub(super) fn forget(&mut self, tag: DeliveryTag, now: Instant) {
        self.locks.remove(tag);
        let Some(held) = self.held.get_mut(&tag) else { return };
        match std::mem::replace(&mut held.stage, Stage::Waiting) {
            Stage::Running(run) | Stage::Forgotten(run) => {
                held.stage = Stage::Forgotten(run);
                // Its outcome says nothing of the outage in time.
                self.pause.ended(tag, false);
            }
            Stage::Cut { .. } => {
                held.stage = Stage::Cut { forgotten: true };
                self.pause.ended(tag, false);
            }
            stage => {
                held.stage = stage;
                self.drop_held(tag, now);
            }
        }
    }

    /// A handler that runs is cut off; its key waits until it has ended.
    pub(super) fn cut(&mut self, tag: DeliveryTag) {
        let Some(held) = self.held.get_mut(&tag) else { return };
        let forgotten = matches!(held.stage, Stage::Forgotten(_));
        if !matches!(held.stage, Stage::Running(_) | Stage::Forgotten(_)) {
            return;
        }
        if let Stage::Running(run) | Stage::Forgotten(run) =
            std::mem::replace(&mut held.stage, Stage::Cut { forgotten })
        {
            match run.gently {
                // One that has ended needs no word.
                Some(gently) => drop(gently.send(())),
                None => self.workers.cut(tag),
            }
        }
    }

    pub(super) fn drop_held(&mut self, tag: DeliveryTag, now: Instant) {
        self.remove(tag, now, true);
    }

    fn remove(&mut self, tag: DeliveryTag, now: Instant, remembers: bool) {
        self.locks.remove(tag);
        self.lanes.remove(tag);
        self.suspects.remove(tag);
        self.stuck.remove(tag);
        self.pause.ended(tag, false);
        let Some(held) = self.held.remove(&tag) else { return };
        self.decided -= usize::from(held.stage.is_decided());
        self.settling -= usize::from(matches!(held.stage, Stage::Settling { .. }));
        self.keeping -= usize::from(matches!(held.stage, Stage::Keeping));
        let Some(work) = held.work else { return };
        let message = work.claimed;
        if remembers {
            self.bound.remember(Some(work), now);
        }
        self.free_message(tag, message);
    }

    /// Other deliveries of its message have waited for it: one of them is handled now.
    fn free_message(&mut self, tag: DeliveryTag, message: Option<Uuid>) {
        let Some(message) = message else { return };
        if !self.bound.memory().release(message, tag) {
            return;
        }
        for twin in self.take_twins(message) {
            if self.held.get(&twin).is_some_and(Held::is_waiting) {
                self.lanes.put_back(twin);
            }
        }
    }

    fn take_twins(&mut self, message: Uuid) -> Vec<DeliveryTag> {
        if self.twins.is_empty() { Vec::new() } else { self.twins.remove(&message).unwrap_or_default() }
    }
}
