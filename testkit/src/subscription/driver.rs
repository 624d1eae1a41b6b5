use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{Capabilities, Subscription};
use diator::{OutboundMessage, async_trait};

/// A subscription under test, with an engine of its own.
///
/// The author of a driver implements it in a test file: the [module](super) has one. Each case starts a driver, and
/// drops it at its end; the engine must then end too.
#[async_trait]
pub trait Driver: Send + Sync + Sized + 'static {
    /// The driver's capabilities; the cases check these, and no others.
    ///
    /// A lock should last a few seconds at most, because cases wait for its end.
    const CAPABILITIES: Capabilities;

    /// Whether an endpoint that comes for the first time gets the messages that were published before.
    const RETAINS: bool = false;

    /// Whether the key and the headers arrive beside the body; otherwise the body is everything that arrives.
    const CARRIES_HEADERS: bool = true;

    /// Whether the engine's clock is tokio's: the cases then take no real time, on a clock that is paused.
    const VIRTUAL_TIME: bool = false;

    /// How long a case listens until it is sure that nothing comes; must be less than half of a lock.
    const QUIET: Duration = Duration::from_millis(500);

    /// How long a case waits for something that must happen: longer than the engine takes to miss a process that has
    /// crashed.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Starts an engine that is empty and shares nothing with the engines of cases that run at the same time.
    async fn start() -> Self;

    /// Makes the subscription of another process.
    fn connect(&self) -> Arc<dyn Subscription>;

    /// Publishes a message to its topic, and returns when the engine has it.
    async fn publish(&self, message: &OutboundMessage);

    /// The dead letters of an endpoint in the engine, oldest first.
    ///
    /// # Panics
    ///
    /// The default always panics: a driver that states `dead_letters` must say how they are read.
    async fn dead_letters(&self, _endpoint: &str) -> Vec<DeadLetter> {
        panic!("it must say how its dead letters are read")
    }

    /// Lets the engine deliver once more what the endpoint settled.
    ///
    /// # Panics
    ///
    /// The default always panics: a driver that states `replayable` must implement it.
    async fn replay(&self, _endpoint: &str) {
        panic!("it must say how it replays")
    }

    /// The faults that the engine can be given.
    fn faults(&self) -> &dyn Faults {
        &Unbreakable
    }
}

/// A dead letter as an operator reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The body that was published.
    pub body: Vec<u8>,
    /// Why the endpoint gave it up.
    pub reason: String,
}

/// The ways to break an engine.
///
/// # Guarantees
///
/// Each method answers whether the engine can be broken in that way. By default it cannot, and the cases that need the
/// fault are left out.
#[async_trait]
pub trait Faults: Send + Sync {
    /// Ends the engine at once, without a chance to save anything.
    async fn kill(&self) -> bool {
        false
    }

    /// Starts the engine again, with what it saved; kills it before if it runs.
    async fn restart(&self) -> bool {
        false
    }

    /// Stops the engine in the middle of whatever it does; its connections stay open.
    async fn pause(&self) -> bool {
        false
    }

    /// Lets the engine go on.
    async fn resume(&self) -> bool {
        false
    }

    /// Ends all connections; the engine goes on.
    async fn cut(&self) -> bool {
        false
    }

    /// Ends all locks of an endpoint now.
    async fn expire(&self, _endpoint: &str) -> bool {
        false
    }

    /// Asks for an endpoint's partitions back, as a rebalance does.
    async fn revoke(&self, _endpoint: &str) -> bool {
        false
    }

    /// Takes an endpoint's partitions from their owners without asking.
    async fn take_partitions(&self, _endpoint: &str) -> bool {
        false
    }
}

/// An engine of which nobody said how it is broken.
struct Unbreakable;

impl Faults for Unbreakable {}
