//! The life of a delivery until its verdict: it comes, begins, has run, is decided on.

use std::time::Duration;

use tokio::time::Instant;

use super::Unknown;
use super::held::{Held, Stage};
use super::lanes::LaneKey;
use super::outcome::{self, State};
use super::policy::{Failures, Step};
use super::run::Opening;
use super::work::{Ran, Work, work};
use crate::HandlerFailure;
use crate::shown;
use crate::subscription::{Delivery, DeliveryTag, Taken, Verdict};

/// How long a message waits at most until the attempt log is asked again.
const LONGEST_UNLOGGED: Duration = Duration::from_secs(30);

impl Opening {
    pub(super) fn taken(&mut self, taken: Taken, now: Instant) {
        match taken {
            Taken::Deliveries(deliveries) => {
                self.credit.took(deliveries.len());
                self.last_taken = now;
                deliveries.into_iter().for_each(|delivery| self.hold(delivery, now));
            }
            Taken::Revoking { owners, by } => self.revoke(owners, by),
            Taken::Lost { owners } => self.lose(&owners, now),
        }
    }

    fn hold(&mut self, mut delivery: Delivery, now: Instant) {
        let (tag, owner) = (delivery.tag, delivery.owner);
        let suspect = self.bound.log.is_some() && self.suspects.is_one(owner, delivery.redelivered);
        let key = delivery.key.take().map(|key| LaneKey { topic: delivery.topic.clone(), key });
        self.locks.add(tag, delivery.received);
        if !self.bound.capabilities.settles_out_of_order {
            self.watermark.add(owner, tag);
        }
        self.lanes.push(tag, key);
        let work = Some(Box::new(Work::new(delivery, suspect)));
        self.held.insert(tag, Held { owner, stage: Stage::Waiting, work, suspect });
        let is_too_late = self.draining.is_some() || self.is_revoking(owner);
        if is_too_late {
            self.give_up(tag, now);
        }
    }

    /// Lets deliveries begin as long as there are workers.
    pub(super) fn begin_what_may(&mut self, now: Instant) {
        while self.draining.is_none() && self.has_room() && self.pause.admits(now) {
            let Some(tag) = self.suspects.next().or_else(|| self.lanes.next(now)) else { return };
            let Some(held) = self.held.get_mut(&tag) else { continue };
            if held.suspect && !self.suspects.begin(tag) {
                continue;
            }
            let Some(of_it) = held.work.take() else { continue };
            let running = self.workers.spawn(work(self.bound.clone(), tag, of_it, self.events.clone()));
            held.stage = Stage::Running(running);
            self.running += 1;
            self.pause.begun(tag);
        }
    }

    /// A delivery has run; what comes next?
    pub(super) fn worked(&mut self, tag: DeliveryTag, work: Box<Work>, ran: Ran, now: Instant) {
        let Some(held) = self.held.get_mut(&tag) else { return };
        self.running -= 1;
        self.suspects.remove(tag);
        let is_forgotten = matches!(held.stage, Stage::Forgotten(_));
        held.stage = Stage::Waiting;
        held.work = Some(work);
        match ran {
            Ran::Handled(failures) => self.handled(tag, failures, is_forgotten, now),
            _ if is_forgotten => self.drop_held(tag, now),
            Ran::Unknown(name) => {
                self.pause.ended(tag, false);
                self.unknown(tag, &name, now);
            }
            Ran::Undecodable(why) => {
                self.pause.ended(tag, false);
                self.dead(tag, &format!("the message cannot be read: {why}"));
            }
            Ran::Poison(unended) => {
                self.pause.ended(tag, false);
                self.dead(
                    tag,
                    &format!("the message was begun {unended} times and never ended: it may end the process"),
                );
            }
            Ran::Unlogged(error) => {
                self.pause.ended(tag, false);
                self.bound.monitor.note_failed_call("attempt log", shown::text(shown::Chain(&*error)));
                let Some(work) = self.held.get_mut(&tag).and_then(|held| held.work.as_mut()) else { return };
                work.unlogged = work.unlogged.saturating_add(1);
                let pause = Duration::from_secs(1 << work.unlogged.min(10)).min(LONGEST_UNLOGGED);
                let pause = self.jitter.take_off(pause);
                self.wait_again(tag, now + pause, now);
            }
        }
    }

    fn handled(&mut self, tag: DeliveryTag, failures: Vec<(usize, HandlerFailure)>, is_forgotten: bool, now: Instant) {
        let Some(work) = self.held.get_mut(&tag).and_then(|held| held.work.as_mut()) else { return };
        let message = work.message_id();
        work.unlogged = 0;
        let (mut pause, mut released) = (None, false);
        for (place, failure) in failures {
            let outcome = &mut work.outcomes[place];
            let Failures { mut counted, mut uncounted } = outcome.failures();
            let step = self.bound.settings.errors.step(&failure, Failures { counted, uncounted }, &mut self.jitter);
            self.bound.tell_failure(message, &failure, counted, step);
            let due = match step {
                Step::Done => {
                    outcome.state = State::Done;
                    continue;
                }
                Step::Dead => {
                    outcome.state = State::Dead(shown::text(shown::Chain(&failure.error)).into());
                    continue;
                }
                Step::Again { after, counted: false } => {
                    uncounted = uncounted.saturating_add(1);
                    now.checked_add(after)
                }
                Step::Again { after, counted: true } | Step::Later(after) => {
                    counted = counted.saturating_add(1);
                    now.checked_add(after)
                }
                Step::Pause(time) => {
                    pause = pause.max(Some(time));
                    None
                }
                Step::Release => {
                    released = true;
                    None
                }
            };
            outcome.state = State::Pending { failures: Failures { counted, uncounted }, due };
        }
        let next = outcome::next_due(&work.outcomes, now);
        let (is_dead, ran_any) = (outcome::reason(&work.outcomes), !work.outcomes.is_empty());
        match pause {
            Some(time) => self.pause_for(tag, time, now),
            None => self.pause.ended(tag, ran_any),
        }
        match next {
            _ if is_forgotten => self.drop_held(tag, now),
            None => match is_dead {
                Some(reason) => self.dead(tag, &reason),
                None => self.done(tag, ran_any),
            },
            Some(_) if released => self.give_up(tag, now),
            Some(_) if pause.is_some() && self.draining.is_none() => {
                if !self.give_up_if_revoked(tag, now) {
                    self.lanes.put_back(tag);
                }
            }
            Some(due) if self.bound.goes_back_until(due, now) => self.settle(tag, Verdict::Retry { after: due - now }),
            Some(due) => self.wait_again(tag, due, now),
        }
    }

    fn pause_for(&mut self, tag: DeliveryTag, time: Duration, now: Instant) {
        let before = self.pause;
        self.pause.pause(tag, time, now);
        if before == super::pause::Pause::Open {
            tracing::warn!(target: "diator", endpoint = &*self.bound.settings.name, ?time, "the endpoint pauses");
        }
    }

    /// It stays in hand until it runs again.
    fn wait_again(&mut self, tag: DeliveryTag, due: Instant, now: Instant) {
        if self.draining.is_some() {
            self.give_up(tag, now);
        } else if !self.give_up_if_revoked(tag, now) {
            self.lanes.rest(tag, due);
        }
    }

    fn give_up_if_revoked(&mut self, tag: DeliveryTag, now: Instant) -> bool {
        let is_revoked = self.held.get(&tag).is_some_and(|held| self.is_revoking(held.owner));
        if is_revoked {
            self.give_up(tag, now);
        }
        is_revoked
    }

    fn done(&mut self, tag: DeliveryTag, ran_any: bool) {
        self.bound.monitor.count(|health| if ran_any { health.handled += 1 } else { health.ignored += 1 });
        self.settle(tag, Verdict::Ack);
    }

    fn unknown(&mut self, tag: DeliveryTag, name: &str, now: Instant) {
        self.bound.note_unknown(name);
        match self.bound.settings.unknown {
            Unknown::Ignore => self.settle(tag, Verdict::Ack),
            Unknown::DeadLetter => self.dead(tag, &format!("no event named `{name}` is known here")),
            Unknown::Stop => {
                self.give_up(tag, now);
                self.fail(
                    format!("no event named `{name}` is known here, and the endpoint must stop then").into(),
                    now,
                );
            }
        }
    }

    fn dead(&mut self, tag: DeliveryTag, reason: &str) {
        let message = self.held.get(&tag).and_then(|held| held.work.as_ref()?.message_id());
        self.bound.tell_dead(message, reason);
        let is_kept = self.bound.capabilities.native_dead_letter && self.bound.settings.dead_letters;
        let verdict = if is_kept { Verdict::DeadLetter { reason: shown::text(reason).into() } } else { Verdict::Ack };
        self.settle(tag, verdict);
    }
}
