use std::sync::Arc;
use std::time::Duration;

use diator::{Container, Inbox, Outbox, async_trait};

/// Starts and connects a store under test.
///
/// The author of a store implements it in a test file; the [module](super) has an example. Each case starts a driver, and drops it at
/// its end. The database must then end too.
#[async_trait]
pub trait Driver: Send + Sync + Sized + 'static {
    /// Whether a unit of work can enter while another one is open.
    ///
    /// It is `false` for a database with one writer at a time: the second one is [`Busy`](diator::inbox::Seen::Busy), whatever it
    /// enters with. The database must then answer within a second.
    const CONCURRENT_UNITS: bool;

    /// Makes an empty database with the tables of the store, whose inbox has this retention.
    async fn start(retention: Duration) -> Self;

    /// Connects to the database as another process does.
    ///
    /// The result must share nothing in memory with earlier ones, unless the store is in memory itself.
    fn connect(&self) -> Store;

    /// Deletes all entries whose time in the store is over.
    async fn clean(&self);

    /// Counts the messages that the outbox holds.
    async fn events(&self) -> u64;
}

/// The parts of a store that one process uses.
#[allow(missing_debug_implementations, reason = "it holds objects of traits")]
#[derive(Clone)]
pub struct Store {
    /// The store under test.
    pub inbox: Arc<dyn Inbox>,
    /// The outbox that writes in the same unit of work.
    pub outbox: Arc<dyn Outbox>,
    /// Both find their unit of work here.
    pub container: Arc<dyn Container>,
}
