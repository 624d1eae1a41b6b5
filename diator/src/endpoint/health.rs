use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::deliveries::DeliveryStatus;
#[cfg(feature = "metrics")]
use crate::metrics::EndpointMetrics;
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
    /// How many were handled.
    pub handled: u64,
    /// How often a handler failed.
    pub failed: u64,
    /// How often a handler was or will be tried again.
    pub retried: u64,
    /// How many became dead letters.
    pub dead: u64,
    /// How many had a name that the program does not know.
    pub unknown: u64,
    /// How many were events that no handler of the endpoint handles.
    pub ignored: u64,
    /// How often the engine said, or the clock, that a delivery was no longer the process's own.
    pub lock_lost: u64,
    /// How many verdicts the engine did not take, such as a dead letter for which there is no place; their messages are held until the
    /// endpoint opens anew, or given up with their partition where the engine only knows offsets.
    pub refused: u64,
    /// How many deliveries wait in the [store](crate::deliveries::DeliveryStore) for their time or their turn, parked ones included; `None`
    /// without a store, or if it did not answer. It counts for all processes, and may be some seconds old.
    pub waiting: Option<u64>,
    /// How many of these wait behind a dead letter of their key.
    pub parked: Option<u64>,
    /// How many dead letters wait in the store for an operator.
    pub dead_letters: Option<u64>,
    /// For how long the delivery that is due longest could have been handled; parked ones do not count.
    pub overdue_seconds: Option<f64>,
    /// What failed at last: opening, reading, settling.
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
    health: Arc<Mutex<EndpointHealth>>,
    #[cfg(feature = "metrics")]
    metrics: Option<Arc<EndpointMetrics>>,
}

impl EndpointMonitor {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            health: Arc::default(),
            #[cfg(feature = "metrics")]
            metrics: None,
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn measure(&mut self) {
        self.metrics = Some(Arc::new(EndpointMetrics::new(self.name.clone())));
    }

    pub(crate) fn health(&self) -> EndpointHealth {
        self.seen().clone()
    }

    pub(super) fn set_state(&self, state: EndpointState) {
        self.change(|health| health.state = state);
    }

    pub(super) fn note(&self, state: EndpointState, held: usize, running: usize, resting: usize) {
        self.change(|health| {
            (health.state, health.held, health.running, health.resting) = (state, held, running, resting);
        });
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut EndpointHealth)) {
        self.change(count);
    }

    pub(super) fn observed(&self, observation: &Observation) {
        self.change(|health| {
            health.lag = observation.lag;
            health.oldest_seconds = observation.oldest.map(|oldest| oldest.as_secs_f64());
        });
    }

    /// What the store keeps, or why that is not known; nothing is kept for an endpoint that the store does not name.
    pub(crate) fn keeps(&self, status: Result<Option<&DeliveryStatus>, &str>) {
        let error = status.err().map(str::to_owned);
        let kept = status.ok().map(|status| status.cloned().unwrap_or_default());
        self.change(|health| {
            let kept = kept.as_ref();
            health.waiting = kept.map(|kept| kept.waiting);
            health.parked = kept.map(|kept| kept.parked);
            health.dead_letters = kept.map(|kept| kept.dead);
            health.overdue_seconds = kept.and_then(|kept| kept.overdue_seconds);
            health.last_error = error.or(health.last_error.take());
        });
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn is_measured(&self) -> bool {
        self.metrics.is_some()
    }

    fn change(&self, change: impl FnOnce(&mut EndpointHealth)) {
        let mut health = self.seen();
        change(&mut health);
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.show(&health);
        }
    }

    pub(super) fn note_error(&self, error: &(dyn Error + 'static)) {
        self.seen().last_error = Some(shown::text(shown::Chain(error)));
    }

    /// A call to the engine failed.
    pub(super) fn note_failed_call(&self, call: &'static str, error: String) {
        tracing::warn!(target: "diator", endpoint = &*self.name, call, error, "a call to the engine failed");
        self.seen().last_error = Some(error);
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.failed_call(call);
        }
    }

    fn seen(&self) -> MutexGuard<'_, EndpointHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
