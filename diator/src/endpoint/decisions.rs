//! The life of a delivery when its handlers have run: it waits, is kept, is done, or is a dead letter.

use std::time::Duration;

use tokio::time::Instant;

use super::Unknown;
use super::deliveries::AFTER_CUT;
use super::failure::{Failure, Judgement};
use super::opening::Opening;
use super::outcome::{self, Failures, Outcome, State, Wait};
use super::pause::Pause;
use super::step::Step;
use crate::deliveries::{DeadReason, WHOLE_MESSAGE};
use crate::shown;
use crate::subscription::{DeliveryTag, Verdict};

impl Opening {
    pub(super) fn handled(
        &mut self,
        tag: DeliveryTag,
        ran_any: bool,
        failures: Vec<(usize, Failure)>,
        is_forgotten: bool,
        now: Instant,
    ) {
        let Some(work) = self.held.get_mut(&tag).and_then(|held| held.work.as_mut()) else { return };
        let message = work.claimed;
        work.unlogged = 0;
        let keeps = self.bound.store.is_some();
        let (mut pause, mut released) = (None, false);
        for (place, failure) in failures {
            let outcome = &mut work.outcomes[place];
            let Failures { mut counted, mut uncounted } = outcome.failures();
            let step =
                self.bound.settings.errors.step(failure.judgement, Failures { counted, uncounted }, &mut self.jitter);
            match failure.judgement {
                Judgement::Busy => self.bound.tell_busy(message, failure.handler, uncounted == 0),
                _ => self.bound.tell_failure(message, &failure, step.counts().saturating_add(counted), step, now),
            }
            let due = match step {
                Step::Done => {
                    outcome.state = State::Done;
                    continue;
                }
                Step::Dead => {
                    let why = DeadReason::new(format!("{:?}", failure.kind), failure.text);
                    outcome.state = State::Dead { why, failures: counted.saturating_add(1) };
                    continue;
                }
                Step::Again { after, counted: false } => {
                    self.stuck.add(tag, now);
                    uncounted = uncounted.saturating_add(1);
                    now.checked_add(after)
                }
                Step::Again { after, counted: true } | Step::Later(after) => {
                    counted = counted.saturating_add(1);
                    now.checked_add(after)
                }
                Step::Pause(time) => {
                    self.stuck.add(tag, now);
                    pause = pause.max(Some(time));
                    None
                }
                Step::Release => {
                    released = true;
                    None
                }
            };
            let wait = match step {
                Step::Later(_) => Wait::InStore,
                Step::Again { counted: true, .. } => Wait::InHand,
                Step::Again { after, .. } if self.bound.holds_a_place_for_long(failure.judgement, after) => {
                    Wait::InStore
                }
                _ => Wait::WithOthers,
            };
            let why = keeps.then(|| Box::new(DeadReason::new(format!("{:?}", failure.kind), failure.text)));
            outcome.state = State::Pending { failures: Failures { counted, uncounted }, due, wait, why };
        }
        let next = outcome::next_due(&work.outcomes, now);
        let is_kept = keeps && outcome::is_to_be_kept(&work.outcomes, self.bound.of_rows);
        let (is_dead, is_ours) = (outcome::reason(&work.outcomes), !work.outcomes.is_empty());
        match pause {
            // What is no longer in hand says nothing in time.
            Some(_) if is_forgotten => self.pause.ended(tag, false),
            Some(time) => self.pause_for(tag, time, now),
            None => self.pause.ended(tag, ran_any),
        }
        match next {
            _ if is_forgotten => self.drop_held(tag, now),
            _ if is_kept => self.keep(tag, now),
            None => match is_dead {
                Some(reason) => self.dead(tag, reason, now),
                None => self.done(tag, is_ours, now),
            },
            Some(_) if released => self.wait_again(tag, now + AFTER_CUT, now),
            Some(_) if pause.is_some() => {
                if !self.give_up_if_over(tag, now) {
                    self.lanes.put_back(tag);
                }
            }
            Some(due) if self.draining.is_none() && self.bound.goes_back_for(due - now) == Some(due - now) => {
                self.retry(tag, due - now, now);
            }
            Some(due) => self.wait_again(tag, due, now),
        }
    }

    pub(super) fn pause_for(&mut self, tag: DeliveryTag, time: Duration, now: Instant) {
        self.call_back();
        let before = self.pause;
        self.pause.pause(tag, time, now);
        if before == Pause::Open {
            tracing::warn!(target: "diator", endpoint = &*self.bound.settings.name, ?time, "the endpoint pauses");
        }
    }

    /// It stays in hand until it runs again, if its lock lasts so long; otherwise the engine waits, if it can.
    ///
    /// What the engine would deliver again at once stays until two thirds of its lock have gone, so that it does not go round and round.
    pub(super) fn wait_again(&mut self, tag: DeliveryTag, due: Instant, now: Instant) {
        if self.give_up_if_over(tag, now) {
        } else if !self.locks.is_stale_by(tag, due) {
            self.lanes.rest(tag, due);
        } else if self.can_be_kept(tag) {
            self.keep(tag, now);
        } else if let Some(after) = self.bound.goes_back_for(due.saturating_duration_since(now)) {
            self.retry(tag, after, now);
        } else if self.locks.is_stale_by(tag, now) {
            self.release_stale(tag, now);
        } else {
            self.lanes.rest(tag, due);
        }
    }

    /// Whether its handlers are known, and the store is there for them.
    fn can_be_kept(&self, tag: DeliveryTag) -> bool {
        let work = self.held.get(&tag).and_then(|held| held.work.as_ref());
        self.bound.store.is_some() && work.is_some_and(|work| !work.outcomes.is_empty())
    }

    /// It goes back, and comes again after this time.
    pub(super) fn retry(&mut self, tag: DeliveryTag, after: Duration, now: Instant) {
        let Some(work) = self.held.get_mut(&tag).and_then(|held| held.work.as_mut()) else { return };
        work.outcomes.iter_mut().for_each(|outcome| outcome.let_come(now + after));
        let failure = work.outcomes.iter().find_map(Outcome::last_failure).filter(|_| self.bound.of_rows);
        let DeadReason { kind, text: reason } = failure.unwrap_or_default();
        let verdict = Verdict::Retry { after, failures: work.carried(), reason, kind };
        self.settle(tag, verdict, now);
    }

    /// Whether nothing begins any more: the opening ends, or its owner is revoked.
    pub(super) fn give_up_if_over(&mut self, tag: DeliveryTag, now: Instant) -> bool {
        let is_over = self.draining.is_some() || self.held.get(&tag).is_some_and(|held| self.is_revoking(held.owner));
        if is_over {
            self.give_up(tag, now);
        }
        is_over
    }

    fn done(&mut self, tag: DeliveryTag, is_ours: bool, now: Instant) {
        let work = self.held.get(&tag).and_then(|held| held.work.as_ref());
        let message = work.and_then(|work| work.claimed);
        match message.filter(|_| is_ours && work.is_some_and(|work| !work.has_run)) {
            Some(message) => self.bound.tell_duplicate(message, tag),
            None => self.bound.monitor.count(|health| if is_ours { health.handled += 1 } else { health.ignored += 1 }),
        }
        if let Some(decided) = &self.bound.on_decision
            && let Some(message) = message
        {
            decided(message, None, "acked");
        }
        self.settle(tag, Verdict::Ack, now);
    }

    pub(super) fn unknown(&mut self, tag: DeliveryTag, name: &str, now: Instant) {
        self.bound.note_unknown(name);
        match self.bound.settings.unknown {
            Unknown::Ignore if !self.bound.of_rows => self.settle(tag, Verdict::Ack, now),
            Unknown::Ignore | Unknown::DeadLetter => {
                let reason = format!("no event named `{name}` is known here");
                self.dead(tag, DeadReason::new("Unknown", reason), now);
            }
            Unknown::Stop => {
                let error = format!("no event named `{name}` is known here, and the endpoint must stop then");
                // What waits goes back then, and this one with it.
                self.fail(error.into(), now);
                self.give_back([tag], now);
            }
        }
    }

    pub(super) fn dead(&mut self, tag: DeliveryTag, why: DeadReason, now: Instant) {
        let work = self.held.get(&tag).and_then(|held| held.work.as_ref());
        let (message, failures) = (work.and_then(|work| work.claimed), work.map_or(0, |work| work.counted()));
        if let Some(work) = work {
            work.mark_failed();
        }
        if work.is_none_or(|work| work.outcomes.iter().all(Outcome::is_pending)) {
            self.bound.monitor.dead_letter(WHOLE_MESSAGE, &why.kind);
        }
        self.bound.tell_dead(message, &why.text);
        let DeadReason { kind, text } = why;
        let reason = shown::text(&*text).into_boxed_str();
        if self.bound.puts().is_some() {
            return self.keep_dead(tag, DeadReason { kind, text: reason }, now);
        }
        let is_kept = self.bound.capabilities.dead_letters && self.bound.settings.dead_letters;
        let verdict = if is_kept { Verdict::DeadLetter { reason, kind, failures } } else { Verdict::Ack };
        self.settle(tag, verdict, now);
    }
}
