use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{Capabilities, Subscription};
use diator::{OutboundMessage, async_trait};

/// A subscription under test, with an engine of its own.
///
/// The author of a driver implements it in a test file: the [module](super) has one. Each case starts one, and drops it at its
/// end; the engine must then end too.
#[async_trait]
pub trait Driver: Send + Sync + Sized + 'static {
    /// What the driver states; the cases check no more.
    ///
    /// A lock should last a few seconds at most, because cases wait for its end.
    const CAPABILITIES: Capabilities;

    /// Whether an endpoint that comes for the first time gets what was published before.
    const RETAINS: bool = false;

    /// Whether what travels beside the body arrives: the key, the headers. Elsewhere the body is all that there is.
    const CARRIES_HEADERS: bool = true;

    /// Whether the engine's clock is tokio's: the cases then run in a moment, on a clock that is paused.
    const VIRTUAL_TIME: bool = false;

    /// How long a case listens until it is sure that nothing comes; less than half of a lock.
    const QUIET: Duration = Duration::from_millis(500);

    /// How long something may take that must happen: longer than the engine takes to miss a process that has crashed.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Starts an engine that is empty and shares nothing with those of cases that run at the same time.
    async fn start() -> Self;

    /// The subscription as another process would have it.
    fn connect(&self) -> Arc<dyn Subscription>;

    /// Publishes a message to its topic, and returns when the engine has it.
    async fn publish(&self, message: &OutboundMessage);

    /// What the engine has as dead letters of an endpoint, oldest first.
    ///
    /// # Panics
    ///
    /// As it stands here, always: a driver that states `dead_letters` must say how they are read.
    async fn dead_letters(&self, _endpoint: &str) -> Vec<DeadLetter> {
        panic!("it must say how its dead letters are read")
    }

    /// Lets the engine deliver once more what the endpoint settled.
    ///
    /// # Panics
    ///
    /// As it stands here, always: a driver that states `replayable` must say how.
    async fn replay(&self, _endpoint: &str) {
        panic!("it must say how it replays")
    }

    /// How to break the engine.
    fn faults(&self) -> &dyn Faults {
        &Unbreakable
    }
}

/// A dead letter as an operator reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was published.
    pub body: Vec<u8>,
    /// Why it was given up.
    pub reason: String,
}

/// How to break an engine.
///
/// # Guarantees
///
/// Each answers whether the engine can be broken like that; where it cannot, as each stands here, the cases that need it are left
/// out.
#[async_trait]
pub trait Faults: Send + Sync {
    /// Ends the engine at once, without a chance to save anything.
    async fn kill(&self) -> bool {
        false
    }

    /// Starts it again, with what it saved; it is killed before if it runs.
    async fn restart(&self) -> bool {
        false
    }

    /// Stops it in the middle of whatever it does; its connections stay open.
    async fn pause(&self) -> bool {
        false
    }

    /// Lets it go on.
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

    /// Wants an endpoint's partitions back, as a rebalance does.
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
