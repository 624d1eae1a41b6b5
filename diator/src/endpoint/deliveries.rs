//! The life of a delivery until its handlers have run: it comes, begins, ends.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::held::{Held, Run, Said, Stage};
use super::lanes::LaneKey;
use super::opening::Opening;
use super::work::{Ran, Work};
use super::workers::Handed;
use crate::deliveries::DeadReason;
use crate::shown;
use crate::subscription::{Delivery, DeliveryTag, Taken, Verdict};

/// How long a message waits at most until the attempt log is asked again.
const LONGEST_UNLOGGED: Duration = Duration::from_secs(30);
/// What was cut off, and nobody wanted it to be, waits so long.
pub(super) const AFTER_CUT: Duration = Duration::from_secs(1);

impl Opening {
    pub(super) fn taken(&mut self, taken: Taken, now: Instant) {
        match taken {
            Taken::Deliveries(deliveries) => {
                self.credit.took(deliveries.len());
                self.last_taken = now;
                self.bound.kept.watchdog.is_fed();
                deliveries.into_iter().for_each(|delivery| self.hold(delivery, now));
            }
            Taken::Revoking { owners, by } => self.revoke(owners, by),
            Taken::Lost { owners } => self.lose(&owners, now),
        }
    }

    fn hold(&mut self, mut delivery: Delivery, now: Instant) {
        let (tag, owner) = (delivery.tag, delivery.owner);
        if self.ended_owners.contains(&owner) {
            return;
        }
        if let Some(owner) = owner.filter(|&owner| self.gone.contains(owner)) {
            self.refuse_of_gone(owner);
            return;
        }
        if self.held.contains_key(&tag) {
            // Whatever is settled from here on could be another delivery.
            self.fail(format!("the driver gave two deliveries the tag {}", tag.0).into(), now);
            return;
        }
        let suspect = self.bound.log.is_some() && self.suspects.is_one(owner, delivery.redelivered);
        // What may have to be kept is kept with its key.
        let key = if self.bound.puts().is_some() { delivery.key.clone() } else { delivery.key.take() };
        let key = key.map(|key| LaneKey { topic: delivery.topic.clone(), key });
        self.locks.add(tag, delivery.received);
        if !self.bound.capabilities.settles_out_of_order {
            self.watermark.add(owner, tag);
        }
        self.lanes.push(tag, key);
        let work = Some(Box::new(Work::new(delivery, suspect)));
        self.held.insert(tag, Held { owner, stage: Stage::Waiting, work, suspect });
        if self.draining.is_some() {
            self.give_back([tag], now);
        } else if self.is_revoking(owner) {
            self.give_up(tag, now);
        }
    }

    /// Lets deliveries begin as long as there are workers.
    pub(super) fn begin_what_may(&mut self, now: Instant) {
        let mut begin = Vec::new();
        while self.draining.is_none() && self.has_room() && self.pause.admits(now) {
            let Some(tag) = self.suspects.next().or_else(|| self.lanes.next(now)) else { break };
            let Some(held) = self.held.get_mut(&tag) else { continue };
            if held.suspect && !self.suspects.begin(tag) {
                continue;
            }
            let Some(work) = held.work.take() else { continue };
            let (gently, cut) = held.suspect.then(oneshot::channel).unzip();
            held.stage = Stage::Running(Run { gently });
            self.running += 1;
            self.pause.begun(tag);
            let lease = self.locks.until(tag).filter(|_| self.bound.leases_ahead());
            begin.push(Handed { tag, work, cut, lease });
        }
        self.workers.hand(begin, self.running);
    }

    /// Those that were handed over and have not begun wait again, as if they had not been.
    pub(super) fn call_back(&mut self) {
        for Handed { tag, work, .. } in self.workers.call_back().into_iter().rev() {
            let Some(held) = self.held.get_mut(&tag) else { continue };
            held.stage = Stage::Waiting;
            held.work = Some(work);
            self.running -= 1;
            self.suspects.remove(tag);
            self.pause.ended(tag, false);
            self.lanes.call_back(tag);
        }
    }

    /// A delivery has run; what comes next?
    pub(super) fn worked(&mut self, tag: DeliveryTag, work: Box<Work>, ran: Ran, now: Instant) {
        let Some(held) = self.held.get_mut(&tag) else { return };
        self.running -= 1;
        self.suspects.remove(tag);
        let is_forgotten = matches!(held.stage, Stage::Forgotten(_) | Stage::Cut { forgotten: true });
        held.stage = Stage::Waiting;
        held.work = Some(work);
        let behind = if self.draining.is_some() { self.lanes.behind(tag) } else { Vec::new() };
        self.has_run(tag, ran, is_forgotten, now);
        self.give_back(behind, now);
    }

    fn has_run(&mut self, tag: DeliveryTag, ran: Ran, is_forgotten: bool, now: Instant) {
        if !matches!(ran, Ran::Handled { .. } | Ran::Unlogged(_)) {
            self.pause.ended(tag, false);
        }
        match ran {
            Ran::Handled { ran, failures } => self.handled(tag, ran > 0, failures, is_forgotten, now),
            _ if is_forgotten => self.drop_held(tag, now),
            Ran::Unknown(name) => self.unknown(tag, &name, now),
            Ran::Undecodable(why) => {
                self.dead(tag, DeadReason::new("Unreadable", format!("the message cannot be read: {why}")), now);
            }
            Ran::TooOld(age) => {
                let reason =
                    format!("the message was made {} s ago, and the inbox may have forgotten it", age.as_secs());
                self.dead(tag, DeadReason::new("TooOld", reason), now);
            }
            Ran::Poison(unended) => {
                let reason = format!("the message was begun {unended} times and never ended: it may end the process");
                self.dead(tag, DeadReason::new("Poison", reason), now);
            }
            Ran::NoHandler(handler) => {
                let reason = format!("the endpoint has no handler `{}` of the message", shown::name(&handler));
                self.dead(tag, DeadReason::new("NoHandler", reason), now);
            }
            Ran::CalledBack => {
                if !self.give_up_if_over(tag, now) {
                    self.lanes.call_back(tag);
                }
            }
            Ran::Unlogged(why) => self.unlogged(tag, why, now),
            Ran::Twin(message) => self.twin(tag, message, now),
            Ran::Cut => self.wait_again(tag, now + AFTER_CUT, now),
        }
    }

    /// Another delivery of its message is in hand: it is acknowledged, or a dead letter, with that one.
    fn twin(&mut self, tag: DeliveryTag, message: Uuid, now: Instant) {
        let other = self.bound.memory().claimed_by(message);
        let said = other.and_then(|other| self.held.get(&other)?.stage.said());
        if said == Some(Said::Acked) {
            self.bound.tell_duplicate(message, tag);
            self.settle(tag, Verdict::Ack, now);
        } else if said == Some(Said::Dead) {
            let why = DeadReason::new("Twin", "another delivery of the message is a dead letter");
            self.dead(tag, why, now);
        } else if self.give_up_if_over(tag, now) {
        } else if other.is_some() {
            self.twins.entry(message).or_default().push(tag);
        } else {
            self.lanes.put_back(tag);
        }
    }

    /// Without its log, nothing that may end the process begins.
    fn unlogged(&mut self, tag: DeliveryTag, why: String, now: Instant) {
        self.bound.monitor.note_failed_call("attempt log", why);
        self.stuck.add(tag, now);
        let Some(work) = self.held.get_mut(&tag).and_then(|held| held.work.as_mut()) else { return };
        work.unlogged = work.unlogged.saturating_add(1);
        let time = Duration::from_secs(1 << work.unlogged.min(10)).min(LONGEST_UNLOGGED);
        let time = self.jitter.take_off(time);
        self.pause_for(tag, time, now);
        if !self.give_up_if_over(tag, now) {
            self.lanes.put_back(tag);
        }
    }
}
