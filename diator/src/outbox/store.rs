use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use uuid::Uuid;

use crate::BoxError;
use crate::broker::{MessageType, OutboundMessage};
use crate::deliveries::DeliveryStore;

/// Holds the messages of an outbox for a [`Relay`](crate::relay::Relay).
///
/// A message is a row. The row has a place, which is its partition and a number. It is pending until the broker has the message, and
/// sent afterwards. The author of a store runs the conformance suite of `diator-testkit` on it.
///
/// # Guarantees
///
/// An implementation must keep these; the relay relies on them:
///
/// - **Leases.** A partition must have at most one owner. A lease must end when the owner releases it, or when its period is over by
///   the clock of the database; it must not depend on the clock of a process. Each new owner must get a higher epoch than the one
///   before.
/// - **Fences.** [`settle`](Self::settle) and [`release`](Self::release) with an old epoch must change nothing. The one exception is
///   [`Verdict::Sent`], which is a fact: the store must note it with any epoch, if the row is still pending.
/// - **Replays.** A replayed row, also that of a dead letter, belongs to the owners that come after the replay: `claim` and `settle` with
///   the epoch at the replay, or an older one, must pass it over. Otherwise an owner that was stopped before the replay could note it
///   as sent, and an owner in the middle of its partition could publish later rows before the earlier ones.
/// - **Numbers** must grow in the order in which the rows are written. Rows of one key whose units of work lock a common row are then
///   numbered in the order of their commits. Numbers may have gaps.
/// - **Status, not a cursor.** A transaction that commits late leaves a pending row with a lower number than rows that are already
///   sent. A `claim` with a cursor may miss the row; a `claim` from the start must find it.
/// - **Horizon.** A `claim` must not return a row that was committed after the lease began, unless numbers grow in the order of
///   commits. Otherwise it could miss a row that commits late, and return a later row of the same key.
/// - **No transaction** may stay open between two calls.
/// - **Cancellation.** If a future is dropped, the store may have done its work or not. Calls may come from several threads at once.
///
/// # Errors
///
/// Every method fails if the database fails. The relay then tries again later. The text must repeat no credential, such as the
/// password of a URL: logs and the health of a relay show it.
///
/// # Example
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use diator::outbox::{InMemoryOutbox, OutboxStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), diator::BoxError> {
/// let store = InMemoryOutbox::new();
/// let status = store.status().await?;
/// assert_eq!((status.pending, status.dead, status.oldest_seconds), (0, 0, None));
///
/// let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
/// assert_eq!(store.replay(an_hour_ago, Some("orders")).await?, 0);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// Checks whether this program can work with the tables; a relay calls it first.
    ///
    /// It must answer `Ok` if it cannot reach the database.
    ///
    /// # Errors
    ///
    /// The program cannot work with the tables, and waiting does not help. The text must name the command that helps.
    async fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Names the tables that it reads from, without credentials.
    ///
    /// A [`Host`](crate::host::Host) compares it with the [place](super::Outbox::place) of the mediator's outbox. `None` means that the
    /// host cannot compare them.
    fn place(&self) -> Option<String> {
        None
    }

    /// The store in which the endpoints of the same database keep deliveries, for the command line.
    ///
    /// It must be the [`deliveries`](crate::Inbox::deliveries) of the inbox beside this outbox. `None` means that there
    /// is no such store.
    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        None
    }

    /// Leases at most `most` partitions to the relay for the period.
    ///
    /// It must give messages whose delay is over their places first. It must lease only partitions that have no owner and a pending
    /// row that no dead letter holds back. No partition in the answer means that there is no work.
    ///
    /// Partitions that never had an owner must come first, then those that had one longest ago. Otherwise a partition whose rows the
    /// broker does not take, or that always has more rows, would keep the relay from the others.
    async fn lease(&self, relay: RelayId, most: u16, period: Duration) -> Result<Leased, BoxError>;

    /// Reads pending rows of leased partitions, in the order of their numbers.
    ///
    /// It must leave out the rows that the [`Claim`] excludes, and every partition whose epoch has changed. It must see everything
    /// that was committed before the call. It changes nothing: the lease alone reserves the rows.
    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError>;

    /// Notes what became of rows; it ignores a row that no longer exists.
    ///
    /// After an error it may have noted some of them: the relay repeats the whole call.
    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError>;

    /// Gives leases back before their period is over.
    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError>;

    /// Returns the age of the oldest message that a relay could publish now.
    ///
    /// `None` means that there is no such message. The call must be cheap.
    async fn oldest(&self) -> Result<Option<Duration>, BoxError>;

    /// Counts the messages by their state.
    async fn status(&self) -> Result<OutboxStatus, BoxError>;

    /// Makes sent messages pending again, each in its old place, and counts them.
    ///
    /// It selects the messages that were sent at `since` or later, by the clock of the database, and that have the topic. `None`
    /// means every topic.
    ///
    /// Replayed messages come late, and in their own order: a relay publishes those of a key in the order of their places, and the
    /// messages of the key that wait by then after them. A message that is being published meanwhile can come before.
    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError>;

    /// Deletes up to `limit` messages that were sent longer ago than `retention`.
    ///
    /// The answer is how many. One relay at a time deletes: the answer is zero if another relay is the cleaner. A store that also holds an
    /// [`Inbox`](crate::Inbox) deletes up to `limit` of its old entries too, and answers the larger of both numbers.
    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError>;

    /// Waits until a message has been committed since the last call.
    ///
    /// It may answer late or without a commit, because the relay also polls. It must not be ready all the time.
    async fn woken(&self);
}

/// The id of a running relay, for its leases; each start of a relay has a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RelayId(pub Uuid);

/// A partition that a relay owns for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeasedPartition {
    /// The number of the partition.
    pub partition: u16,
    /// Grows with each owner; the database compares it.
    pub epoch: i64,
}

/// The answer to [`OutboxStore::lease`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// The partitions that the relay owns now.
    pub partitions: Vec<LeasedPartition>,
    /// Keys in these partitions that a dead letter holds back.
    pub parked: Vec<ParkedKey>,
    /// Marks the rows that were committed when the lease began, for the store.
    ///
    /// `None` means that numbers grow in the order of commits.
    pub horizon: Option<String>,
    /// Whether delayed messages got their places: the relay asks again at once.
    pub promoted: bool,
}

/// A key of a topic whose messages must wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParkedKey {
    /// The topic of the event.
    pub topic: Option<String>,
    /// The key.
    pub key: String,
}

impl ParkedKey {
    /// Returns the topic and key of a message, if it has a key.
    #[must_use]
    pub fn of(message: &OutboundMessage) -> Option<Self> {
        let topic = message.topic.as_deref().map(str::to_owned);
        message.key.clone().map(|key| Self { topic, key })
    }
}

/// The argument of [`OutboxStore::claim`].
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The partitions, each with the place to read on from.
    pub cursors: &'a [Cursor],
    /// How many rows to read from each partition at most.
    pub limit: u32,
    /// How many bytes of bodies of each partition to read at most: the row that reaches this number is the last one. So
    /// a partition that yields less than both limits has no more rows.
    pub max_bytes: u64,
    /// The rows to leave out.
    pub skip: &'a Skip,
    /// The [horizon](Leased::horizon) of the lease.
    pub horizon: Option<&'a str>,
}

/// The place in a partition from which a relay reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The partition.
    pub lease: LeasedPartition,
    /// The number of the last row that was read; `None` reads from the start.
    pub after: Option<i64>,
}

/// The rows that a claim must leave out, because the relay cannot publish them now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skip {
    /// Events whose destination takes no messages at the moment.
    pub routes: Vec<SkippedRoute>,
    /// Keys that must wait.
    pub keys: Vec<ParkedKey>,
}

/// An event whose rows a [`Skip`] leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SkippedRoute {
    /// Its kind.
    pub message_type: MessageType,
    /// Its name.
    pub name: String,
    /// Its topic.
    pub topic: Option<String>,
}

impl SkippedRoute {
    /// Returns the event of a message.
    #[must_use]
    pub fn of(message: &OutboundMessage) -> Self {
        let topic = message.topic.as_deref().map(str::to_owned);
        Self { message_type: message.message_type, name: message.name.to_string(), topic }
    }
}

/// The place of a row in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The number of its partition.
    pub partition: u16,
    /// The number of the row; it grows within a partition.
    pub seq: i64,
}

/// A pending message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place.
    pub place: Place,
    /// How often the broker has refused it.
    pub attempts: u32,
    /// The message, as the mediator encoded it.
    pub message: OutboundMessage,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The place of the row.
    pub place: Place,
    /// The epoch in which the relay owned its partition.
    pub epoch: i64,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a row that a relay gave to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The broker has it.
    Sent,
    /// The broker refused it; it stays pending.
    Refused {
        /// How often the broker has refused it by now, this time included. A number that is not above the noted one
        /// changes nothing, so that a relay may repeat the call.
        attempts: u32,
    },
    /// The broker refused it for good: it becomes a dead letter.
    Dead {
        /// The broker's error.
        reason: String,
        /// Whether the later messages of its key wait for the operator.
        parks_key: bool,
    },
}

/// How many messages of an outbox are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// Messages that wait for a relay, parked ones included.
    pub pending: u64,
    /// Pending messages that wait behind a dead letter of their key.
    pub parked: u64,
    /// Messages whose delay is not over.
    pub scheduled: u64,
    /// Messages that the broker has, and that no relay has pruned yet.
    pub sent: u64,
    /// Messages that the broker refused for good.
    pub dead: u64,
    /// The age of the oldest pending message that is not parked, in seconds.
    pub oldest_seconds: Option<f64>,
}
