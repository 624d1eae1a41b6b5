use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::circuit::{CircuitHealth, Circuits};
use super::turn::Done;
use crate::BoxError;
use crate::outbox::OutboxStore;

/// How long the database may take to answer the question for the oldest message.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reports the health of a relay that runs elsewhere in the process.
///
/// Clones report on the same relay.
///
/// # Example
///
/// ```
/// use diator::outbox::InMemoryOutbox;
/// use diator::relay::Relay;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let relay = Relay::new(InMemoryOutbox::new());
/// let health = relay.monitor().health().await;
/// assert_eq!((health.sent, health.oldest_seconds, health.error), (0, None, None));
/// # }
/// ```
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

/// The health of a relay.
///
/// # Units
///
/// Ages are in seconds; `sent` counts messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelayHealth {
    /// The age of the oldest message that a relay could publish now.
    ///
    /// `None` means that there is none, or that the database did not answer. The age covers the whole outbox: it grows if none of its
    /// relays publishes.
    pub oldest_seconds: Option<f64>,
    /// How long ago this relay last completed a turn; `None` if it never did.
    pub last_turn_seconds: Option<f64>,
    /// How many messages the broker has acknowledged to this relay since it started.
    pub sent: u64,
    /// The destinations to which this relay publishes nothing, or a trial only.
    pub circuits: Vec<CircuitHealth>,
    /// Why the database did not answer, now or in the last turn; the store must repeat no [credential](OutboxStore) in it.
    pub error: Option<String>,
}

impl RelayMonitor {
    pub(super) fn new(store: Arc<dyn OutboxStore>) -> Self {
        Self { store, seen: Arc::default() }
    }

    /// Asks the database for the age of the oldest message, and reports the health.
    ///
    /// It answers within about two seconds, even if the database does not answer.
    pub async fn health(&self) -> RelayHealth {
        let oldest = match timeout(PATIENCE, self.store.oldest()).await {
            Ok(oldest) => oldest.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the database did not answer within {PATIENCE:?}")),
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
