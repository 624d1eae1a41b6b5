use std::sync::Arc;

use diator::outbox::{DeadLetters, Outbox, OutboxStore};
use diator::{Container, async_trait};

/// A store under test, with a database of its own.
///
/// The author of a store implements it in a test file: the [module](super) has one. Each case starts one, and drops it at its end;
/// the database must then end too.
#[async_trait]
pub trait Driver: Send + Sync + Sized + 'static {
    /// Whether two units of work can have staged messages at the same time, before either has committed.
    ///
    /// A database with one writer at a time cannot, nor can a store without transactions.
    const CONCURRENT_UNITS: bool;

    /// Makes an empty database, with the tables that the store needs.
    async fn start() -> Self;

    /// The store as another process would have it: it shares nothing in memory with the one before, unless that is all it has.
    fn connect(&self) -> Store;
}

/// All that a process has of a store.
#[allow(missing_debug_implementations, reason = "it holds objects of traits")]
#[derive(Clone)]
pub struct Store {
    /// What the mediator writes to.
    pub outbox: Arc<dyn Outbox>,
    /// What the relay reads from.
    pub relay: Arc<dyn OutboxStore>,
    /// What the operator sees.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Where the outbox finds its unit of work.
    pub container: Arc<dyn Container>,
}
