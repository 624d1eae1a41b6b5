//! Publishes the messages of an outbox.
//!
//! | stage | file |
//! |---|---|
//! | the loop: a turn, a wait, from time to time a cleaning | `run` |
//! | one turn: lease partitions, claim rows, publish, settle, release | `turn` |
//! | which of the claimed rows may be published together | `plan` |
//! | what the broker's answer does to a row | `publish` |
//! | when a destination that takes nothing is tried again | `circuit` |

mod circuit;
mod health;
mod plan;
mod publish;
mod run;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::BoxError;
use crate::InvalidConfig;
use crate::broker::MessageBroker;
pub use crate::deliveries::OnDead;
use crate::outbox::OutboxStore;
use crate::race::{First, race};
use crate::shown::Causes;
use crate::stop::{StopSignal, Stopper};

pub use self::circuit::{CircuitHealth, CircuitState};
pub use self::health::{RelayHealth, RelayMonitor};

/// No setting is longer: a longer one is a mistake, and clocks cannot add every duration.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// How long an ending relay may take to note the sent messages and to give its leases back.
const SETTLING: Duration = Duration::from_secs(5);
/// How long a store may take for its check at the start; the first turn checks again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Publishes the messages of an outbox to a broker, in order per key.
///
/// A relay runs in a [`Host`](crate::host::Host), in a task of the service, or as a program of its own
/// ([`run_until`](Self::run_until)). Any number of relays may run on one outbox.
///
/// # Guarantees
///
/// - **At least once.** A message stays pending until the broker has acknowledged it. The relay publishes it again after a crash, a
///   lost lease or a lost answer of the broker, always with the same id and the same bytes.
/// - **Duplicates.** Each crash, lost lease or lost answer repeats at most one [`batch`](Self::batch).
/// - **Order.** The relay publishes a message only after the broker has acknowledged the message before it, of the same topic, key and
///   destination, or after that message has become a dead letter that does not [park](OnDead) its key.
/// - **An outage makes no dead letters.** If a destination does not answer, is busy or refuses every message, the relay publishes
///   nothing there for 100 ms to 30 s. Then it tries one message, then a few. Other destinations go on, but they wait while the relay
///   waits for the answer to a trial; the relay tries a slow destination less often.
/// - **A refused message** becomes a dead letter after [`attempts`](Self::attempts) attempts. Other messages go on meanwhile.
/// - **Resources.** The relay holds no transaction open while it publishes. It works on a partition only while its lease lasts, by the
///   clock of the database.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use diator::outbox::InMemoryOutbox;
/// use diator::prelude::*;
/// use diator::relay::Relay;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
/// struct UserJoined { user_id: u64 }
///
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
/// let mediator = Mediator::builder()
///     .handlers(handlers![Handle])
///     .container(outbox.services())
///     .broker(broker.clone())
///     .outbox(outbox.clone())
///     .build()?;
/// mediator.emit(UserJoined { user_id: 7 }).await?;
///
/// let relay = Relay::new(outbox.clone()).broker(broker.clone());
/// relay.run_until(broker.published_at_least(1)).await?;
/// broker.assert_published::<UserJoined>(|event| event.user_id == 7);
/// assert!(outbox.pending().is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// The pattern Polling Publisher of C. Richardson, "Microservices Patterns", with leases and fencing tokens (M. Kleppmann).
#[derive(Clone)]
#[must_use = "a relay does nothing until it runs"]
pub struct Relay {
    store: Arc<dyn OutboxStore>,
    broker: Option<Arc<dyn MessageBroker>>,
    settings: Settings,
    monitor: RelayMonitor,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    batch: u32,
    partitions: u16,
    lease: Duration,
    poll: Duration,
    attempts: u32,
    on_dead: OnDead,
    replay_window: Duration,
    publish_deadline: Duration,
    drain: Duration,
}

/// Why a relay did not start.
///
/// `Debug` prints the text with all its causes: it is what `main` shows when it returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The relay has no broker: call [`Relay::broker`], or run it in a [`Host`](crate::host::Host) whose mediator has one.
    #[error("the relay has no broker to publish to")]
    NoBroker,
    /// A setting is out of its range, or two settings contradict each other; the error lists every problem.
    #[error(transparent)]
    Settings(#[from] InvalidConfig),
    /// The program cannot work with the tables in the database: the source names the command that helps.
    #[error("the relay cannot work with its store")]
    Store(#[source] BoxError),
}

impl fmt::Debug for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Causes(self))
    }
}

impl Relay {
    /// Makes a relay for this outbox, with the default of each setting.
    pub fn new(store: impl OutboxStore) -> Self {
        let store: Arc<dyn OutboxStore> = Arc::new(store);
        let settings = Settings {
            batch: 1_000,
            partitions: 16,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(2),
            attempts: 3,
            on_dead: OnDead::Park,
            replay_window: Duration::from_secs(7 * 24 * 3_600),
            publish_deadline: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        };
        Self { monitor: RelayMonitor::new(store.clone()), store, broker: None, settings }
    }

    /// Sets the broker; in a [`Host`](crate::host::Host) the default is the mediator's.
    pub fn broker(mut self, broker: impl MessageBroker) -> Self {
        self.broker = Some(Arc::new(broker));
        self
    }

    /// Sets how many messages may be published and not yet noted as sent.
    ///
    /// A crash can duplicate this many messages.
    ///
    /// # Units
    ///
    /// Messages; 1,000 by default, 2 to 100,000. The relay gives at most half of them to the broker at once, and fewer if their
    /// bodies have more than 8 MiB: of each partition then as many as reach its share of that, so that a large message goes too.
    pub fn batch(mut self, messages: u32) -> Self {
        self.settings.batch = messages;
        self
    }

    /// Sets how many of the 64 partitions the relay leases at most at the same time.
    ///
    /// The others stay free for other relays.
    ///
    /// # Units
    ///
    /// Partitions; 16 by default, 1 to 64.
    pub fn partitions(mut self, most: u16) -> Self {
        self.settings.partitions = most;
        self
    }

    /// Sets how long the relay owns partitions.
    ///
    /// If the relay dies, other relays take over after that.
    ///
    /// # Units
    ///
    /// 30 s by default, a day at most. It must be at least twice the deadline of the broker, or twice the
    /// [`publish_deadline`](Self::publish_deadline) if the broker names none.
    pub fn lease(mut self, period: Duration) -> Self {
        self.settings.lease = period;
        self
    }

    /// Sets how long the relay waits before it polls again, if no commit wakes it.
    ///
    /// # Units
    ///
    /// 2 s by default, more than zero, a day at most. The relay shortens each wait by up to one half, at random.
    pub fn poll(mut self, pause: Duration) -> Self {
        self.settings.poll = pause;
        self
    }

    /// Sets after how many attempts a refused message becomes a dead letter.
    ///
    /// # Units
    ///
    /// Attempts; 3 by default, at least 1. The relay waits a second after the first refusal, 10 seconds after the second, and a minute
    /// after each later one. Another relay that takes over does not know of these waits, and may try earlier.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// Sets what happens to the later messages of a dead letter's key.
    ///
    /// The default is [`OnDead::Park`].
    pub fn on_dead(mut self, on_dead: OnDead) -> Self {
        self.settings.on_dead = on_dead;
        self
    }

    /// Sets how long sent messages stay in the outbox, for a replay.
    ///
    /// # Units
    ///
    /// 7 days by default; zero deletes them at the next cleaning, which is about once in a minute.
    pub fn replay_window(mut self, window: Duration) -> Self {
        self.settings.replay_window = window;
        self
    }

    /// Sets how long the broker may take for one call.
    ///
    /// A [`deadline`](MessageBroker::deadline) of the broker itself counts instead.
    ///
    /// # Units
    ///
    /// 10 s by default, more than zero.
    pub fn publish_deadline(mut self, deadline: Duration) -> Self {
        self.settings.publish_deadline = deadline;
        self
    }

    /// Sets how long the relay goes on publishing after `stop` has ended.
    ///
    /// In a [`Host`](crate::host::Host) the [`deadline`](crate::host::Host::deadline) of the host counts instead.
    ///
    /// # Units
    ///
    /// 10 s by default, a day at most. After that the relay waits for the call to the broker that has begun, and notes its answers.
    pub fn drain(mut self, time: Duration) -> Self {
        self.settings.drain = time;
        self
    }

    /// Returns a monitor, which reports the relay's health at any time.
    #[must_use]
    pub fn monitor(&self) -> RelayMonitor {
        self.monitor.clone()
    }

    /// Runs until `stop` ends, then publishes the rest and gives the leases back.
    ///
    /// # Guarantees
    ///
    /// - After `stop` has ended, [`drain`](Self::drain) limits how long the relay publishes.
    /// - If the caller drops the future, the relay ends at once. Other relays take over when its leases are over.
    /// - If the database or the broker is away, the relay waits for it.
    ///
    /// # Errors
    ///
    /// Each [`RelayError`] comes at the start, before the relay publishes anything.
    ///
    /// # Panics
    ///
    /// If it runs outside a tokio runtime with a timer.
    pub async fn run_until(self, stop: impl Future) -> Result<(), RelayError> {
        let drain = self.settings.drain.min(LONGEST);
        let (stopper, signal) = Stopper::new();
        let mut stop = std::pin::pin!(stop);
        match race(self.prepare(), stop.as_mut()).await {
            First::Left(prepared) => prepared?,
            First::Right(_) => return Ok(()),
        }
        let mut running = std::pin::pin!(self.run(signal));
        match race(running.as_mut(), stop).await {
            First::Left(ended) => ended,
            First::Right(_) => {
                let end = Instant::now() + drain;
                stopper.stop(end);
                // A call to the broker that has begun in time may end and be noted; the relay does not wait for a store that hangs.
                let deadline = self.broker.as_deref().map_or(LONGEST, |broker| self.settings.publish_deadline(broker));
                timeout_at(end + deadline.min(LONGEST) + SETTLING, running).await.unwrap_or(Ok(()))
            }
        }
    }

    pub(crate) fn has_broker(&self) -> bool {
        self.broker.is_some()
    }

    pub(crate) fn place(&self) -> Option<String> {
        self.store.place()
    }

    pub(crate) fn with_shared_broker(mut self, broker: Arc<dyn MessageBroker>) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Checks the settings, the broker and the store.
    pub(crate) async fn prepare(&self) -> Result<(), RelayError> {
        let broker = self.broker.as_ref().ok_or(RelayError::NoBroker)?;
        self.settings.check(self.settings.publish_deadline(&**broker))?;
        // A database that is away must not delay the start of the rest of the program.
        timeout(PATIENCE, self.store.check()).await.unwrap_or(Ok(())).map_err(RelayError::Store)
    }

    /// Runs until the signal is given; [`prepare`](Self::prepare) comes first.
    pub(crate) async fn run(&self, stop: StopSignal) -> Result<(), RelayError> {
        let broker = self.broker.as_ref().ok_or(RelayError::NoBroker)?;
        run::Running::new(self, broker.clone(), stop).run().await;
        Ok(())
    }
}

impl Settings {
    fn publish_deadline(&self, broker: &dyn MessageBroker) -> Duration {
        broker.deadline().unwrap_or(self.publish_deadline)
    }

    fn check(&self, publish_deadline: Duration) -> Result<(), InvalidConfig> {
        let mut problems = Vec::new();
        if !(2..=100_000).contains(&self.batch) {
            problems.push(format!("the batch must be 2 to 100,000 messages, not {}", self.batch));
        }
        if !(1..=crate::outbox::PARTITIONS).contains(&self.partitions) {
            problems.push(format!("the partitions must be 1 to 64, not {}", self.partitions));
        }
        if publish_deadline.is_zero() {
            problems.push("the publish deadline must be more than zero".to_owned());
        }
        if self.lease < publish_deadline.saturating_mul(2) {
            problems.push(format!(
                "the lease of {:?} must be at least twice the publish deadline of {publish_deadline:?}",
                self.lease
            ));
        }
        for (name, time) in [("lease", self.lease), ("poll", self.poll)] {
            if time > LONGEST {
                problems.push(format!("the {name} of {time:?} must not be longer than a day"));
            }
        }
        if self.poll.is_zero() {
            problems.push("the poll must be more than zero".to_owned());
        }
        if self.attempts == 0 {
            problems.push("the attempts must be at least 1".to_owned());
        }
        InvalidConfig::check("relay configuration", problems)
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("settings", &self.settings).finish_non_exhaustive()
    }
}
