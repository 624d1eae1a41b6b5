use std::sync::Arc;

use diator::outbox::{DeadLetters, Outbox, OutboxStore};
use diator::{Container, async_trait};

/// Starts and connects a store under test.
///
/// The author of a store implements it in a test file; the [module](super) has an example. Each case starts a driver, and drops it at
/// its end. The database must then end too.
#[async_trait]
pub trait Driver: Send + Sync + Sized + 'static {
    /// Whether two units of work can stage messages before either of them commits.
    ///
    /// It is `false` for a database with one writer at a time, and for a store without transactions.
    const CONCURRENT_UNITS: bool;

    /// Makes an empty database with the tables of the store.
    async fn start() -> Self;

    /// Connects to the database as another process does.
    ///
    /// The result must share nothing in memory with earlier ones, unless the store is in memory itself.
    fn connect(&self) -> Store;
}

/// The parts of a store that one process uses.
#[allow(missing_debug_implementations, reason = "it holds objects of traits")]
#[derive(Clone)]
pub struct Store {
    /// The mediator writes here.
    pub outbox: Arc<dyn Outbox>,
    /// The relay reads here.
    pub relay: Arc<dyn OutboxStore>,
    /// The operator works here.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The outbox finds its unit of work here.
    pub container: Arc<dyn Container>,
}
