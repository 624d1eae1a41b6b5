use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use uuid::Uuid;

use crate::BoxError;
use crate::broker::{MessageType, OutboundMessage};

/// Where an outbox keeps its messages, as a [`Relay`](crate::relay::Relay) sees it.
///
/// A message is a row with a place: its partition, and a number in it that grows in the order in which the rows were written. It is
/// pending until the broker has it, and then sent.
///
/// # Guarantees
///
/// An implementation must keep these; the relay relies on them:
///
/// - **Leases.** A partition has at most one owner. Its lease ends when it is released, or when its period is over by the clock of
///   the data base: the clock of a process must not matter. Each new owner gets a higher epoch.
/// - **Fences.** [`settle`](Self::settle) and [`release`](Self::release) of an epoch that is over change nothing, except that
///   [`Verdict::Sent`] is true whoever says it, and noted if the row is still pending.
/// - **Replays.** A replayed row, of a dead letter too, belongs to the owners that come after the replay: `claim` and `settle` of the
///   epoch at the replay, or of an older one, pass it over. Otherwise an owner that was stopped before the replay could note it as
///   sent, and one in the middle of its partition could publish its later rows before the earlier ones.
/// - **Numbers** grow in the order in which the rows are written, and so, among rows of one key whose units of work lock a common row,
///   in the order of their commits. They may have gaps.
/// - **Status, not a cursor.** A transaction that commits late leaves a row behind others that are sent already. `claim` with a
///   cursor may miss it; `claim` from the start must not.
/// - **Horizon.** What was committed after the lease began is no part of it. Otherwise a claim with a cursor could miss a row that
///   commits late, and give the one of the same key that was written after that commit.
/// - **No transaction** is open between two calls.
/// - Dropping a future leaves what it asked for done or not done. Calls may come from several threads at once.
///
/// # Errors
///
/// Every method fails if the data base does. The relay then tries again, later. The text must repeat no credential, such as the
/// password of a URL: logs and the health of a relay show it.
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// Whether this program can work with what stands in the data base; asked once, before anything else.
    ///
    /// # Errors
    ///
    /// It cannot, for good: the text must name the command that helps. A data base that cannot be reached is no such error.
    async fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Leases partitions that have no owner and something pending that no dead letter holds back, at most `most` of them, for the
    /// period.
    ///
    /// Those come first that were owned longest ago, and before them the ones that never were: otherwise partitions whose rows
    /// cannot go, or that always have more, starve the others.
    /// Messages whose delay is over get their place first. No partition means that nothing is to be done here.
    async fn lease(&self, relay: RelayId, most: u16, period: Duration) -> Result<Leased, BoxError>;

    /// Reads pending rows of leased partitions, in the order of their numbers within each of them.
    ///
    /// It leaves out what the [`Claim`] excludes, and a partition whose lease has another epoch by now. It changes nothing: the lease
    /// is the claim. It must see at least what was committed when it is called.
    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError>;

    /// Notes down what became of rows; one that is gone is passed over.
    ///
    /// After an error any part of it may have been noted: the relay asks for all of it again.
    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError>;

    /// Gives leases back before their time.
    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError>;

    /// The age of the oldest message that a relay could publish by now; `None` if there is none. It must be cheap.
    async fn oldest(&self) -> Result<Option<Duration>, BoxError>;

    /// How many messages there are of each sort.
    async fn status(&self) -> Result<OutboxStatus, BoxError>;

    /// Makes sent messages pending again, in their old places; the answer is how many.
    ///
    /// Those count that were sent at `since` or later, by the clock of the data base, and went to the topic, if one is named.
    /// They come late, and in their own order: the replayed messages of a key are published in the order of their places, and its
    /// messages that wait by then come after them; one that is being published meanwhile can come before.
    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError>;

    /// Deletes messages that were sent longer ago than `retention`, at most `limit` of them; the answer is how many.
    ///
    /// Of several relays one at a time does it: where another one is the cleaner, the answer is zero.
    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError>;

    /// Waits until somebody has committed a message since the last call, as far as this process can learn of it.
    ///
    /// It may be late, and it may answer too often: the relay looks from time to time anyway. It must not be ready all the time.
    async fn woken(&self);
}

/// A relay, as leases name it; each start of a relay has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RelayId(pub Uuid);

/// A partition that a relay owns for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeasedPartition {
    /// Which one.
    pub partition: u16,
    /// How many owners it has had: what the data base compares.
    pub epoch: i64,
}

/// The answer to [`OutboxStore::lease`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// What the relay owns now.
    pub partitions: Vec<LeasedPartition>,
    /// Keys in these partitions that a dead letter holds back.
    pub parked: Vec<ParkedKey>,
    /// What was committed when the lease began, in words of the store's own; `None` where numbers grow in the order of commits.
    pub horizon: Option<String>,
    /// Whether messages got their place whose delay is over: then it is worth asking again at once.
    pub promoted: bool,
}

/// A key in a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParkedKey {
    /// The topic of the event.
    pub topic: Option<String>,
    /// The key.
    pub key: String,
}

impl ParkedKey {
    /// The key of a message, if it has one.
    #[must_use]
    pub fn of(message: &OutboundMessage) -> Option<Self> {
        let topic = message.topic.as_deref().map(str::to_owned);
        message.key.clone().map(|key| Self { topic, key })
    }
}

/// What a relay asks of [`OutboxStore::claim`].
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The partitions, and where to read on in each of them.
    pub cursors: &'a [Cursor],
    /// How many rows of each partition at most.
    pub limit: u32,
    /// How many bytes of each partition at most, of bodies alone: the row that reaches so many is the last one. So a partition that
    /// has less than both has nothing more.
    pub max_bytes: u64,
    /// What cannot go now.
    pub skip: &'a Skip,
    /// That of the lease.
    pub horizon: Option<&'a str>,
}

/// Where a relay goes on reading in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// In which partition.
    pub lease: LeasedPartition,
    /// Behind which place; `None` is the start.
    pub after: Option<i64>,
}

/// What a relay does not want to be given: it cannot go now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skip {
    /// Events that go where nothing is taken at the moment.
    pub routes: Vec<SkippedRoute>,
    /// Keys that have to wait.
    pub keys: Vec<ParkedKey>,
}

/// An event by which a [`Skip`] knows its rows.
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
    /// The event of a message.
    #[must_use]
    pub fn of(message: &OutboundMessage) -> Self {
        let topic = message.topic.as_deref().map(str::to_owned);
        Self { message_type: message.message_type, name: message.name.to_string(), topic }
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// In which partition.
    pub partition: u16,
    /// Its number in there.
    pub seq: i64,
}

/// A pending message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Where it stands.
    pub place: Place,
    /// How often the broker has refused it.
    pub attempts: u32,
    /// The message, as the mediator encoded it.
    pub message: OutboundMessage,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which row.
    pub place: Place,
    /// The epoch in which the relay owned its partition.
    pub epoch: i64,
    /// What became of it.
    pub verdict: Verdict,
}

/// What a relay says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The broker has it.
    Sent,
    /// The broker refused it; it stays pending.
    Refused {
        /// How often by now, this time included: fewer than are noted already change nothing, so that it can be said twice.
        attempts: u32,
    },
    /// The broker refused it for good: it becomes a dead letter.
    Dead {
        /// What the broker said.
        reason: String,
        /// Whether its key has to wait for the operator.
        parks_key: bool,
    },
}

/// How many messages there are of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// Waiting for a relay, parked ones included.
    pub pending: u64,
    /// Of these, waiting behind a dead letter of their key.
    pub parked: u64,
    /// Waiting until their delay is over.
    pub scheduled: u64,
    /// With the broker, and not yet pruned.
    pub sent: u64,
    /// Refused for good.
    pub dead: u64,
    /// The age of the oldest message that waits and is not parked, in seconds.
    pub oldest_seconds: Option<f64>,
}
