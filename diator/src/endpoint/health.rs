use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::SendErrorKind;
use crate::deliveries::DeliveryStatus;
#[cfg(feature = "metrics")]
use crate::metrics::EndpointMetrics;
use crate::registry::HandlerId;
use crate::shown;
use crate::subscription::Observation;

/// How an endpoint is.
///
/// # Units
///
/// Counts of messages; those that only grow begin with the process. The age is in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EndpointHealth {
    /// What it does.
    pub state: EndpointState,
    /// How many messages wait at the engine; `None` if it does not tell.
    pub lag: Option<u64>,
    /// How long the oldest of them has been waiting; `None` if the engine does not tell.
    pub oldest_seconds: Option<f64>,
    /// How many it has taken and not settled.
    pub held: usize,
    /// How many of these are being handled.
    pub running: usize,
    /// How many of these wait for another attempt.
    pub resting: usize,
    /// How many of these are handled, or given up, and wait until the engine has taken their verdicts. At 100,000 the endpoint takes
    /// nothing more: where the engine only knows offsets, one slow message lets them gather.
    pub settling: usize,
    /// For how long the oldest message in hand has been tried again without a count, has paused the endpoint, or has waited for the
    /// attempt log or the delivery store; `None` if there is none. Nothing but the end of an outage ends that: [`busy`](Self::busy),
    /// [`failed_puts`](Self::failed_puts) and [`last_error`](Self::last_error) say of what.
    pub stuck_seconds: Option<f64>,
    /// How many were handled.
    pub handled: u64,
    /// How often a handler failed.
    pub failed: u64,
    /// How often a handler was or will be tried again.
    pub retried: u64,
    /// How often a handler could not begin, because another transaction was handling its message; it is tried again.
    pub busy: u64,
    /// How many became dead letters.
    pub dead: u64,
    /// How many had a name that the program does not know.
    pub unknown: u64,
    /// How many were events that no handler of the endpoint handles.
    pub ignored: u64,
    /// How many were acknowledged although no handler ran: another message of the same id was in hand, or the inbox knew that its
    /// handlers were done. Senders that give different messages one id lose all but one of them here.
    pub duplicates: u64,
    /// How often the engine said, or the clock, that a delivery was no longer the process's own.
    pub lock_lost: u64,
    /// How many verdicts the engine did not take, such as a dead letter for which there is no place; their messages are held until the
    /// endpoint opens anew, or given up with their partition where the engine only knows offsets.
    pub refused: u64,
    /// What its delivery store keeps, for all of its processes; `None` if it has none, or the store has not been asked yet.
    pub kept: Option<DeliveryStatus>,
    /// How long ago the store said so, or the endpoint was made if it never did; it is asked every 15 s.
    pub kept_seconds: Option<f64>,
    /// How often the delivery store did not take what waits or is dead; it is asked again.
    pub failed_puts: u64,
    /// What failed at last: opening, reading, settling, a store; or the handler that failed uncounted, or asked for a pause.
    pub last_error: Option<String>,
}

/// What an endpoint does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndpointState {
    /// It connects, or is about to.
    #[default]
    Opening,
    /// It takes and handles.
    Open,
    /// It waits, because a handler said so: [`OnError::Pause`](super::OnError::Pause).
    Paused,
    /// One message tries whether the pause is over.
    Trial,
    /// It takes nothing more, and lets what runs come to its end.
    Ending,
    /// It has failed, and is about to open anew.
    Reopening,
    /// It was told to stop, and has done so.
    Ended,
}

/// What is seen of an endpoint from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct EndpointMonitor {
    pub(crate) name: Arc<str>,
    seen: Arc<Mutex<Seen>>,
    /// It is told of the rows of the delivery store, and not of the engine.
    of_rows: bool,
    #[cfg(feature = "metrics")]
    metrics: Option<Arc<EndpointMetrics>>,
}

#[derive(Debug, Default)]
struct Seen {
    health: EndpointHealth,
    engine: Numbers,
    rows: Numbers,
    /// When the store told last what it keeps.
    kept_at: Option<Instant>,
    /// The last call for rows that are due has failed.
    lease_fails: bool,
}

/// What one of its openings has in hand.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) held: usize,
    pub(super) running: usize,
    pub(super) resting: usize,
    pub(super) settling: usize,
    /// Since when the oldest of those is stuck that no count of failures brings to an end.
    pub(super) stuck: Option<Instant>,
}

/// Of both openings.
fn stuck_for(engine: &Numbers, rows: &Numbers) -> Option<Duration> {
    [engine.stuck, rows.stuck].into_iter().flatten().min().map(|since| since.elapsed())
}

impl EndpointMonitor {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            seen: Arc::default(),
            of_rows: false,
            #[cfg(feature = "metrics")]
            metrics: None,
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn measure(&mut self) {
        self.metrics = Some(Arc::new(EndpointMetrics::new(self.name.clone())));
    }

    /// For the opening that handles the rows of the delivery store.
    pub(super) fn of_rows(&self) -> Self {
        self.seen().kept_at.get_or_insert_with(Instant::now);
        Self { of_rows: true, ..self.clone() }
    }

    pub(crate) fn health(&self) -> EndpointHealth {
        let Seen { health, engine, rows, kept_at, .. } = &*self.seen();
        let mut health = health.clone();
        health.kept_seconds = kept_at.map(|at| at.elapsed().as_secs_f64());
        health.held = engine.held + rows.held;
        health.running = engine.running + rows.running;
        health.resting = engine.resting + rows.resting;
        health.settling = engine.settling + rows.settling;
        health.stuck_seconds = stuck_for(engine, rows).map(|time| time.as_secs_f64());
        health
    }

    /// What the endpoint does is what it does with its engine.
    pub(super) fn set_state(&self, state: EndpointState) {
        if !self.of_rows {
            self.seen().health.state = state;
            #[cfg(feature = "metrics")]
            if let Some(metrics) = &self.metrics {
                metrics.state(state);
            }
        }
    }

    pub(super) fn note(&self, state: EndpointState, numbers: Numbers) {
        self.set_state(state);
        let mut seen = self.seen();
        let of_it = if self.of_rows { &mut seen.rows } else { &mut seen.engine };
        *of_it = numbers;
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            let Seen { engine, rows, .. } = &*seen;
            let sum = |number: fn(&Numbers) -> usize| number(engine) + number(rows);
            metrics.in_hand(
                sum(|all| all.held),
                sum(|all| all.running),
                sum(|all| all.resting),
                sum(|all| all.settling),
            );
            metrics.stuck(stuck_for(engine, rows).unwrap_or_default());
        }
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut EndpointHealth)) {
        let mut seen = self.seen();
        count(&mut seen.health);
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.count(&seen.health);
        }
    }

    pub(super) fn note_kept(&self, status: DeliveryStatus) {
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.kept(&status);
        }
        let mut seen = self.seen();
        (seen.health.kept, seen.kept_at) = (Some(status), Some(Instant::now()));
    }

    pub(super) fn observed(&self, observation: &Observation) {
        if self.of_rows {
            return;
        }
        let health = &mut self.seen().health;
        health.lag = observation.lag;
        health.oldest_seconds = observation.oldest.map(|oldest| oldest.as_secs_f64());
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.observed(health);
        }
    }

    pub(super) fn note_error(&self, error: &(dyn Error + 'static)) {
        self.seen().health.last_error = Some(shown::text(shown::Chain(error)));
    }

    /// A handler failed, which is tried again without a count.
    pub(super) fn note_uncounted(&self, handler: HandlerId, error: &str) {
        self.seen().health.last_error = Some(format!("{handler}: {error}"));
    }

    /// A call to the engine failed, or to the store.
    pub(super) fn note_failed_call(&self, call: &'static str, error: String) {
        let callee = match call {
            "attempt log" => "attempt log",
            "lease" | "put" => "delivery store",
            _ if self.of_rows => "delivery store",
            _ => "engine",
        };
        tracing::warn!(target: "diator", endpoint = &*self.name, call, error, "a call to the {callee} failed");
        let mut seen = self.seen();
        seen.health.last_error = Some(error);
        seen.lease_fails |= call == "lease";
        drop(seen);
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.failed_call(call);
        }
    }

    /// The store has answered what is due. The log says so after a failure: nothing else tells that an outage is over.
    pub(super) fn note_lease(&self) {
        if std::mem::take(&mut self.seen().lease_fails) {
            tracing::info!(target: "diator", endpoint = &*self.name, "the delivery store answers again");
        }
    }

    /// The time, if something is measured.
    pub(super) fn clock(&self) -> Option<Instant> {
        #[cfg(feature = "metrics")]
        return self.metrics.as_ref().map(|_| Instant::now());
        #[cfg(not(feature = "metrics"))]
        None
    }

    /// What was received then begins to be handled.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing is measured"))]
    pub(super) fn begins(&self, received: Instant) {
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.queued(received.elapsed());
        }
    }

    /// A handler has run since then; how it failed, if it did.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing is measured"))]
    pub(super) fn ran(&self, handler: HandlerId, since: Option<Instant>, failed: Option<SendErrorKind>) {
        #[cfg(feature = "metrics")]
        if let (Some(metrics), Some(since)) = (&self.metrics, since) {
            metrics.ran(handler, since.elapsed(), failed);
        }
    }

    /// A handler has failed, and is tried again.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing is measured"))]
    pub(super) fn retries(&self, handler: HandlerId, kind: SendErrorKind) {
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.retries(handler, kind);
        }
    }

    /// A message is a dead letter for this handler, or as a whole.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nothing is measured"))]
    pub(super) fn dead_letter(&self, handler: &'static str, kind: &dyn fmt::Display) {
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.dead_letter(handler, kind);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
