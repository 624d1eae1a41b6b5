//! Publishes what stands in an outbox.
//!
//! | stage | file |
//! |---|---|
//! | the loop: a turn, a wait, from time to time a cleaning | `run` |
//! | one turn: lease partitions, claim rows, publish, settle, release | `turn` |
//! | which of the claimed rows may go together | `plan` |
//! | what becomes of a row by the broker's answer | `publish` |
//! | a destination that takes nothing for now is left alone | `circuit` |

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
use crate::outbox::OutboxStore;
use crate::race::{First, race};
use crate::stop::{StopSignal, Stopper};

pub use self::circuit::{CircuitHealth, CircuitState};
pub use self::health::{RelayHealth, RelayMonitor};

/// No setting is longer: more is not a time but a slip, and no clock can add it.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// How long a relay that ends may take to note down what it has sent, and to give its leases back.
const SETTLING: Duration = Duration::from_secs(5);
/// How long a store may take to say at the start whether it can be used; the first turn asks again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Publishes what stands in an outbox, in order per key, until the broker has it.
///
/// It runs as a task of the service, as a child of a [`Host`](crate::host::Host), or as a program of its own
/// ([`run_until`](Self::run_until)). Any number of them may run on one outbox.
///
/// # Guarantees
///
/// - **At least once.** A message stays pending until the broker has acknowledged it. It is published again after a crash, a lost
///   lease, or an answer that got lost; always with the same id and the same bytes.
/// - **Duplicates.** Each of these publishes at most one [`batch`](Self::batch) again.
/// - **Order.** A message is published once the one before it, of the same topic, key and destination, is acknowledged, or has become a dead letter that does not [park](OnDead) its key.
/// - **An outage counts for nothing.** A destination that does not answer, is busy, or refuses whoever comes, is left alone for
///   100 ms to 30 s, and then tried with one message, then with a few. It makes no dead letters. Other destinations wait for its
///   answer where it is asked, the first time and at each trial; one that takes long is tried less often.
/// - **A refused message** is tried [`attempts`](Self::attempts) times, then it becomes a dead letter. Others go on meanwhile.
/// - It holds no transaction open while it publishes, and works on a partition only while its lease lasts, by the clock of the
///   data base.
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

/// What becomes of the later messages of a key when one of its messages is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDead {
    /// They wait until an operator has replayed or discarded it: the order of the key holds. Other keys go on.
    Park,
    /// They go on: a replay comes behind them.
    Continue,
}

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// It has no broker: call [`Relay::broker`], or run it in a [`Host`](crate::host::Host) whose mediator has one.
    #[error("the relay has no broker to publish to")]
    NoBroker,
    /// Its settings contradict each other.
    #[error(transparent)]
    Settings(#[from] InvalidConfig),
    /// The store cannot work with what stands in the data base: its error says which command helps.
    #[error("the relay cannot work with its store")]
    Store(#[source] BoxError),
}

impl Relay {
    /// A relay of this outbox, with the settings that the methods name as their defaults.
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

    /// Publishes here; a [`Host`](crate::host::Host) gives it the mediator's broker if nothing is said.
    pub fn broker(mut self, broker: impl MessageBroker) -> Self {
        self.broker = Some(Arc::new(broker));
        self
    }

    /// Bounds what is published and not yet noted as sent: so many duplicates a crash can make.
    ///
    /// # Units
    ///
    /// Messages; 1,000 by default, 2 to 100,000. Half of them are given to the broker at once, and fewer if their bodies have more than
    /// 8 MiB: of each partition then as many as reach its share of that, so that a large one goes too.
    pub fn batch(mut self, messages: u32) -> Self {
        self.settings.batch = messages;
        self
    }

    /// Bounds how many of the 64 partitions it owns at the same time, so that others can work beside it.
    ///
    /// # Units
    ///
    /// 16 by default, 1 to 64.
    pub fn partitions(mut self, most: u16) -> Self {
        self.settings.partitions = most;
        self
    }

    /// How long it owns partitions: if it dies, others take over after that.
    ///
    /// # Units
    ///
    /// 30 s by default, a day at most; at least twice the deadline of the broker, or of [`publish_deadline`](Self::publish_deadline) where the
    /// broker names none.
    pub fn lease(mut self, period: Duration) -> Self {
        self.settings.lease = period;
        self
    }

    /// How long it waits at most before it looks again, where nobody wakes it.
    ///
    /// # Units
    ///
    /// 2 s by default, more than zero, a day at most. Up to one half of each wait is taken off at random.
    pub fn poll(mut self, pause: Duration) -> Self {
        self.settings.poll = pause;
        self
    }

    /// How often a message is tried that the broker refuses, before it becomes a dead letter.
    ///
    /// # Units
    ///
    /// 3 by default, at least 1. Between the first two is a second, then come 10 seconds, then a minute
    /// each, if the same relay tries again; another one does not know of it.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// What becomes of the later messages of a dead letter's key; [`OnDead::Park`] by default.
    pub fn on_dead(mut self, on_dead: OnDead) -> Self {
        self.settings.on_dead = on_dead;
        self
    }

    /// How long sent messages stay, to be replayed.
    ///
    /// # Units
    ///
    /// 7 days by default; zero deletes them as soon as the cleaner comes by.
    pub fn replay_window(mut self, window: Duration) -> Self {
        self.settings.replay_window = window;
        self
    }

    /// How long the broker may take for one call, if it names no [`deadline`](MessageBroker::deadline) itself.
    ///
    /// # Units
    ///
    /// 10 s by default, more than zero.
    pub fn publish_deadline(mut self, deadline: Duration) -> Self {
        self.settings.publish_deadline = deadline;
        self
    }

    /// How long it goes on publishing at its end, if there is something left that can go.
    ///
    /// # Units
    ///
    /// 10 s by default, a day at most; what has begun by then is noted down still. A [`Host`](crate::host::Host) has a deadline of its own instead.
    pub fn drain(mut self, time: Duration) -> Self {
        self.settings.drain = time;
        self
    }

    /// What tells how it is, also while it runs.
    #[must_use]
    pub fn monitor(&self) -> RelayMonitor {
        self.monitor.clone()
    }

    /// Runs until `stop` ends, then publishes what is left and can go, and gives its leases back.
    ///
    /// Dropping the future ends it at once: others take over when its leases are over.
    ///
    /// # Errors
    ///
    /// As of [`RelayError`], before it publishes anything. A data base or a broker that is away is no error: it waits for them.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with a timer.
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
                // A call to the broker that has begun in time ends, and is noted down; a store that hangs is left alone.
                let deadline = self.broker.as_deref().map_or(LONGEST, |broker| self.settings.publish_deadline(broker));
                timeout_at(end + deadline.min(LONGEST) + SETTLING, running).await.unwrap_or(Ok(()))
            }
        }
    }

    pub(crate) fn has_broker(&self) -> bool {
        self.broker.is_some()
    }

    pub(crate) fn with_shared_broker(mut self, broker: Arc<dyn MessageBroker>) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Looks whether it can run at all.
    pub(crate) async fn prepare(&self) -> Result<(), RelayError> {
        let broker = self.broker.as_ref().ok_or(RelayError::NoBroker)?;
        self.settings.check(self.settings.publish_deadline(&**broker))?;
        // A data base that is away must not hold up what starts beside the relay.
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
            problems.push(format!("a batch has 2 to 100,000 messages, not {}", self.batch));
        }
        if !(1..=crate::outbox::PARTITIONS).contains(&self.partitions) {
            problems.push(format!("there are 1 to 64 partitions, not {}", self.partitions));
        }
        if publish_deadline.is_zero() {
            problems.push("the deadline of a publish is zero".to_owned());
        }
        if self.lease < publish_deadline.saturating_mul(2) {
            problems.push(format!(
                "a lease of {:?} is too short for a broker that may take {publish_deadline:?}: it needs twice that",
                self.lease
            ));
        }
        for (name, time) in [("lease", self.lease), ("poll", self.poll)] {
            if time > LONGEST {
                problems.push(format!("the {name} of {time:?} is longer than a day"));
            }
        }
        if self.poll.is_zero() {
            problems.push("the relay would look for messages without a pause".to_owned());
        }
        if self.attempts == 0 {
            problems.push("a message is tried at least once".to_owned());
        }
        InvalidConfig::check("relay configuration", problems)
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("settings", &self.settings).finish_non_exhaustive()
    }
}
