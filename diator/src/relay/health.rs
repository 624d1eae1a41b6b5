use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::circuit::{CircuitHealth, Circuits};
use super::turn::Done;
use crate::BoxError;
use crate::outbox::OutboxStore;

/// How long a data base may take to say how old the oldest message is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells how a relay is; it stays with whoever asks, also while the relay runs elsewhere in the process.
#[derive(Clone)]
pub struct RelayMonitor {
    store: Arc<dyn OutboxStore>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    circuits: Vec<CircuitHealth>,
    error: Option<String>,
    sent: u64,
    last_turn: Option<Instant>,
}

/// How a relay is.
///
/// # Units
///
/// Ages are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelayHealth {
    /// The age of the oldest message that could go; `None` if there is none, or if the data base does not answer.
    ///
    /// It counts for all relays of the outbox: it tells that none of them gets on.
    pub oldest_seconds: Option<f64>,
    /// How long ago this relay was able to look for messages; `None` if it never was.
    pub last_turn_seconds: Option<f64>,
    /// How many messages this relay has given to the broker since it started.
    pub sent: u64,
    /// The destinations that take nothing at the moment.
    pub circuits: Vec<CircuitHealth>,
    /// Why the data base could not be asked, now or in the last turn; the store must repeat no [credential](OutboxStore) in it.
    pub error: Option<String>,
}

impl RelayMonitor {
    pub(super) fn new(store: Arc<dyn OutboxStore>) -> Self {
        Self { store, seen: Arc::default() }
    }

    /// Asks the data base for the age of the oldest message, and tells what the relay has seen.
    ///
    /// It answers within about two seconds, also if the data base does not.
    pub async fn health(&self) -> RelayHealth {
        let oldest = match timeout(PATIENCE, self.store.oldest()).await {
            Ok(oldest) => oldest.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the data base did not answer within {PATIENCE:?}")),
        };
        let seen = self.seen();
        RelayHealth {
            oldest_seconds: oldest.as_ref().ok().copied().flatten().map(|age| age.as_secs_f64()),
            last_turn_seconds: seen.last_turn.map(|last| last.elapsed().as_secs_f64()),
            sent: seen.sent,
            circuits: seen.circuits.clone(),
            error: oldest.err().or_else(|| seen.error.clone()),
        }
    }

    pub(super) fn note(&self, done: &Done, error: Option<&BoxError>, circuits: &Circuits) {
        let now = Instant::now();
        let mut seen = self.seen();
        seen.circuits = circuits.health(now);
        seen.sent += done.sent as u64;
        seen.error = error.map(ToString::to_string);
        if error.is_none() {
            seen.last_turn = Some(now);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RelayMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayMonitor").field("seen", &self.seen()).finish_non_exhaustive()
    }
}
