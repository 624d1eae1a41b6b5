use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::Bound;
use super::ask::{PATIENCE, ask};
use super::ending::Draining;
use super::event::Event;
use super::health::{EndpointState, Numbers};
use super::held::Held;
use super::opening::Opening;
use super::pause::Pause;
use crate::BoxError;
use crate::panic::{catch_panic, panic_message};
use crate::race::{First, race};
use crate::stop::StopSignal;

/// How many events are worked off before anything else happens.
const EVENTS: usize = 256;
/// How many deliveries the workers have beyond those that they can run at once.
const HANDED_AHEAD: usize = 64;

/// Opens the subscription, and handles what it yields until the signal is given or the opening has failed.
pub(super) async fn run(bound: Arc<Bound>, stop: StopSignal) -> Result<(), BoxError> {
    bound.monitor.set_state(EndpointState::Opening);
    let ended = open_and_run(&bound, &stop).await;
    bound.monitor.set_state(if ended.is_ok() { EndpointState::Ended } else { EndpointState::Reopening });
    ended
}

async fn open_and_run(bound: &Arc<Bound>, stop: &StopSignal) -> Result<(), BoxError> {
    let wanted = bound.wanted();
    let opening = ask(async { bound.subscription.open(&wanted).await }, PATIENCE);
    let opened = match race(opening, stop.given()).await {
        First::Left(opened) => opened.and_then(|opened| opened).inspect_err(|error| bound.monitor.note_error(error))?,
        First::Right(()) => return Ok(()),
    };
    bound.memory().release_all();
    let mut opening = Opening::new(bound.clone(), opened);
    // Whatever becomes of the loop, its handlers have ended and the engine is told before it opens anew.
    let ended = catch_panic(opening.run(stop)).await;
    opening.finish().await;
    ended.unwrap_or_else(|panic| {
        let error = BoxError::from(panic_message(&*panic));
        bound.monitor.note_error(&*error);
        Err(error)
    })
}

impl Opening {
    /// Events come in, deliveries begin, time passes.
    async fn run(&mut self, stop: &StopSignal) -> Result<(), BoxError> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let now = Instant::now();
            if let Some(until) = stop.until() {
                self.stop(until, now);
            }
            self.pass(now);
            self.begin_what_may(now);
            self.flush();
            self.grant();
            self.tell_health();
            if let Some(ended) = self.ended(now) {
                return ended;
            }
            self.wait(stop, &mut events).await;
            if events.len() < self.running {
                // Those that are about to end come along, and the loop goes round once for all of them.
                tokio::task::yield_now().await;
                while events.len() < EVENTS
                    && let Ok(event) = self.inbox.try_recv()
                {
                    events.push(event);
                }
            }
            let now = Instant::now();
            for event in events.drain(..) {
                self.take(event, now);
            }
            self.workers.reap();
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Waits for an event, for the next moment at which there is something to do, or for the end.
    async fn wait(&mut self, stop: &StopSignal, events: &mut Vec<Event>) {
        let next = self.next_moment();
        let stopping = self.draining.as_ref().is_some_and(|draining| draining.stopping);
        let timer = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        let stop = async {
            match stopping {
                true => std::future::pending().await,
                false => stop.given().await,
            }
        };
        let came = self.inbox.recv_many(events, EVENTS);
        race(came, race(timer, stop)).await;
    }

    fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::Taken(taken) => self.taken(taken, now),
            Event::Ended(error) => self.over(error, now),
            Event::Worked { tag, work, ran, took } => {
                let went_well = ran.went_well();
                self.credit.worked(took);
                self.worked(tag, work, ran, now);
                if !went_well {
                    self.workers.heard();
                }
            }
            // It is the loop's next round that counts.
            Event::WorkerEnded => {}
            Event::Settled { settled, refused, error } => {
                if let Some(error) = error {
                    self.bound.monitor.note_failed_call("settle", error);
                }
                for (tag, answer) in settled {
                    self.settled(tag, answer, now);
                }
                for tag in refused {
                    self.refused(tag, now);
                }
            }
            Event::Put { put, error } => {
                if let Some(error) = error {
                    self.bound.monitor.count(|health| health.failed_puts += 1);
                    self.bound.monitor.note_failed_call("put", error);
                }
                for tag in put {
                    self.put(tag, now);
                }
            }
            Event::Extended { extended, from, error } => {
                if let Some(error) = error {
                    self.bound.monitor.note_failed_call("extend", error);
                }
                for (tag, answer) in extended {
                    self.extended(tag, answer, from, now);
                }
            }
            Event::Observed(observed) => self.observed(observed, now),
        }
    }

    /// What time brings: locks, revocations and the end.
    fn pass(&mut self, now: Instant) {
        let due = self.locks.due(now);
        for tag in due.over {
            self.lock_lost(tag, now);
        }
        for tag in due.stale {
            if self.draining.is_none() && self.held.get(&tag).is_some_and(Held::is_waiting) {
                self.release_stale(tag, now);
            }
        }
        if !due.extend.is_empty() {
            // The keeper goes when the opening does.
            let _sent = self.to_extend.send(due.extend);
        }
        self.end_revocations(now);
        self.cut_off_in_time(now);
    }

    fn grant(&mut self) {
        let undone = self.held.len() - self.decided;
        let ready = self.lanes.ready() + self.suspects.waiting();
        let has_room = undone < self.bound.settings.max_ahead && self.decided < self.bound.settings.most_decided;
        let granted = match self.pause {
            _ if self.draining.is_some() || !has_room => Some(self.credit.limit(0)),
            Pause::Paused { .. } | Pause::Trial(Some(_)) => Some(self.credit.limit(0)),
            // One for a trial, if none is here that could begin.
            Pause::Trial(None) => Some(self.credit.limit(u64::from(ready == 0))),
            // Where it cannot be held for long, what waits behind another one loses its lock as well.
            Pause::Open => self.credit.grant(if self.bound.can_hold() { self.running + ready } else { undone }, undone),
        };
        let Some(granted) = granted else { return };
        self.grants.send_if_modified(|before| std::mem::replace(before, granted) != granted);
    }

    fn next_moment(&self) -> Option<Instant> {
        let begins = match self.pause {
            _ if self.draining.is_some() || !self.has_room() => None,
            Pause::Paused { until } => Some(until),
            Pause::Trial(Some(_)) => None,
            Pause::Open | Pause::Trial(None) => self.lanes.next_due(),
        };
        let revocations = self.revocations.iter().map(|revocation| revocation.by).min();
        let end = self.draining.as_ref().map(Draining::next);
        [begins, self.locks.next(), revocations, end].into_iter().flatten().min()
    }

    pub(super) fn has_room(&self) -> bool {
        // Where a lock does not last, or one may mean a pause, none is handed over that cannot begin.
        let ahead = if self.pause == Pause::Open && self.bound.can_hold() { HANDED_AHEAD } else { 0 };
        self.running < self.bound.settings.concurrency + ahead
    }

    fn tell_health(&mut self) {
        let state = match (&self.draining, self.pause) {
            (Some(_), _) => EndpointState::Ending,
            (None, Pause::Open) => EndpointState::Open,
            (None, Pause::Paused { .. }) => EndpointState::Paused,
            (None, Pause::Trial(_)) => EndpointState::Trial,
        };
        let running = self.running.min(self.bound.settings.concurrency);
        let (held, resting, settling) = (self.held.len(), self.lanes.resting(), self.decided);
        let stuck = self.stuck.oldest();
        self.bound.monitor.note(state, Numbers { held, running, resting, settling, stuck });
        self.tell_if_full();
    }

    /// Warns when it takes nothing more, and not again before half of what filled it has gone.
    fn tell_if_full(&mut self) {
        let most = self.bound.settings.most_decided;
        if self.decided < most / 2 {
            self.is_full = false;
        } else if self.decided >= most && !self.is_full {
            self.is_full = true;
            tracing::warn!(
                target: "diator",
                { endpoint = &*self.bound.settings.name, settling = self.decided },
                "the endpoint takes no more messages until the engine has taken the verdicts of handled messages: a message that \
                 is not handled yet may hold them back"
            );
        }
    }
}
