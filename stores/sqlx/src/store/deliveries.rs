use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diator::BoxError;
use tokio::sync::watch;

use super::{Engine, NoTables, Shared};

/// Keeps deliveries that endpoints cannot handle now: they wait for their time, or are dead letters.
///
/// The [inbox](super::SqlxInbox) gives one to each endpoint. [`SqlxStore::deliveries`](super::SqlxStore::deliveries) makes one for an
/// operator's tools.
///
/// # Guarantees
///
/// - It keeps the contract of [`DeliveryStore`](diator::deliveries::DeliveryStore), on PostgreSQL and SQLite.
/// - Leasing and asking for the next delivery read a part of an index, however many rows wait, are parked or are dead.
/// - **PostgreSQL.** Processes do not wait for each other's leases. A statement that changes the first row of a key
///   holds an advisory lock of the key, in a transaction `READ COMMITTED`, whatever the default is.
/// - [`woken`](diator::deliveries::DeliveryStore::woken) learns of every store object of its
///   [`SqlxStore`](super::SqlxStore) in this process; other processes poll.
///
/// # Errors
///
/// A dead letter cannot be written while another transaction handles the same message: the call fails, and a retry can help.
pub struct SqlxDeliveries<DB: Engine> {
    pub(crate) shared: Arc<Shared<DB>>,
    /// How long the inbox remembers a dead letter.
    pub(crate) kept: Duration,
    seen: Mutex<watch::Receiver<u64>>,
}

impl<DB: Engine> SqlxDeliveries<DB> {
    pub(crate) fn new(shared: Arc<Shared<DB>>, kept: Duration) -> Self {
        let seen = Mutex::new(shared.wake.deliveries());
        Self { shared, kept, seen }
    }

    /// Waits for a change that was not seen yet; several callers all hear of it.
    pub(crate) async fn changed(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The sender lives as long as `shared`.
        let _ = seen.changed().await;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Names the command that helps, if tables are missing.
    pub(crate) fn explain(&self, error: impl Into<BoxError>) -> BoxError {
        NoTables::explain(error.into(), &self.shared.prefix, "delivery")
    }
}

impl<DB: Engine> fmt::Debug for SqlxDeliveries<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxDeliveries").field("prefix", &self.shared.prefix.as_str()).finish_non_exhaustive()
    }
}
