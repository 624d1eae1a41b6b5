//! What a service in another process says to the engine, and the other way round: frames of JSON behind their length.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use diator::subscription::{
    Capabilities, ConsumeError, ConsumeErrorKind, Delivery, DeliveryTag, InMemorySubscription, Observation, Ownership,
    Redelivered, Settled, Settlement, Verdict,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// How long the engine locks a delivery, and waits for a service of which it hears nothing.
pub const LOCK: Duration = Duration::from_secs(2);
/// So often a service says that it is there.
pub const ALIVE: Duration = Duration::from_millis(400);
/// What the engine can do; it does not tell one process from another, and so cannot give all messages to each.
pub const CAPABILITIES: Capabilities = {
    let mut capabilities = InMemorySubscription::CAPABILITIES.locks_for(LOCK);
    capabilities.broadcasts = false;
    capabilities
};

/// What a service says.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToEngine {
    /// The first frame of a connection, which is one opening.
    Open(Asked),
    /// So many deliveries may come now, on top of those that have been received so far.
    Credit {
        /// How many more.
        more: usize,
        /// How many were received.
        received: u64,
    },
    /// It wants an answer.
    Call {
        /// The number that the answer has.
        call: u64,
        /// What it asks.
        what: Call,
    },
    /// It has given these partitions up.
    Revoked(Vec<(u32, u64)>),
    /// It is there.
    Alive,
}

/// What a service asks of the engine.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    /// `Settle::settle`.
    Settle(Vec<(u64, Said)>),
    /// `Settle::extend`.
    Extend(Vec<u64>),
    /// `Settle::observe`.
    Observe,
    /// `Settle::close`.
    Close,
}

/// What the engine says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromEngine {
    /// The opening succeeded or failed.
    Opened(Result<(), Failure>),
    /// News of the source.
    News(News),
    /// The answer to a call; one that observes or closes has one answer.
    Answer(u64, Answer),
}

/// What a source yields.
#[derive(Debug, Serialize, Deserialize)]
pub enum News {
    /// Deliveries.
    Deliveries(Vec<Sent>),
    /// It wants partitions back within this time.
    Revoking(Vec<(u32, u64)>, Duration),
    /// Partitions belong to somebody else.
    Lost(Vec<(u32, u64)>),
    /// The opening is over.
    Over(Failure),
}

/// The answer to a call.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Whether each was done, and not lost.
    Settled(Vec<Result<bool, Failure>>),
    /// Lag, due, heard and oldest.
    Observed(Result<Seen, Failure>),
    /// It is closed.
    Closed,
}

/// What an endpoint wants.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are those of `Wanted`")]
pub struct Asked {
    pub endpoint: String,
    pub formerly: Vec<String>,
    pub topics: Vec<String>,
    pub default_topic: bool,
    pub per_key: bool,
    pub concurrency: usize,
    pub max_ahead: usize,
    pub delays: Vec<Duration>,
}

/// A verdict.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are those of `Verdict`")]
pub enum Said {
    Ack,
    Release,
    Retry { after: Duration, failures: u32 },
    DeadLetter { reason: String },
}

/// A delivery.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are those of `Delivery`")]
pub struct Sent {
    pub tag: u64,
    pub owner: Option<(u32, u64)>,
    pub topic: String,
    pub position: Option<Box<str>>,
    pub key: Option<Box<str>>,
    pub headers: Vec<(Box<str>, Box<str>)>,
    pub content_type: Option<Box<str>>,
    pub body: String,
    pub came: u32,
    pub failures: u32,
}

/// An observation.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are those of `Observation`")]
pub struct Seen {
    pub lag: Option<u64>,
    pub due: Option<u64>,
    pub oldest: Option<Duration>,
}

/// Why the engine could not do it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    kind: String,
    text: String,
}

impl Failure {
    /// What the driver reports.
    #[must_use]
    pub fn into_error(self) -> ConsumeError {
        match &*self.kind {
            "transient" => ConsumeError::transient(self.text),
            "closed" => ConsumeError::closed(self.text),
            _ => ConsumeError::fatal(self.text),
        }
    }
}

impl From<ConsumeError> for Failure {
    fn from(error: ConsumeError) -> Self {
        let kind: ConsumeErrorKind = error.kind();
        Self { kind: kind.as_str().to_owned(), text: error.to_string() }
    }
}

impl From<Delivery> for Sent {
    fn from(delivery: Delivery) -> Self {
        let came = match delivery.redelivered {
            Redelivered::Times(times) => times,
            _ => 0,
        };
        Self {
            tag: delivery.tag.0,
            owner: delivery.owner.map(numbers),
            topic: delivery.topic.to_string(),
            position: delivery.position,
            key: delivery.key,
            headers: delivery.headers,
            content_type: delivery.content_type,
            body: String::from_utf8_lossy(&delivery.body).into_owned(),
            came,
            failures: delivery.failures,
        }
    }
}

impl Sent {
    /// The delivery, received now.
    #[must_use]
    pub fn into_delivery(self) -> Delivery {
        let mut delivery = Delivery::new(DeliveryTag(self.tag), self.topic, self.body.into_bytes())
            .with_redelivered(Redelivered::Times(self.came))
            .with_failures(self.failures);
        delivery.owner = self.owner.map(owner);
        delivery.position = self.position;
        delivery.key = self.key;
        delivery.headers = self.headers;
        delivery.content_type = self.content_type;
        delivery
    }
}

/// An owner as numbers.
#[must_use]
pub fn numbers(owner: Ownership) -> (u32, u64) {
    (owner.partition, owner.epoch)
}

/// An owner of numbers.
#[must_use]
pub fn owner((partition, epoch): (u32, u64)) -> Ownership {
    Ownership { partition, epoch }
}

/// The number of a delivery, and what became of it.
#[must_use]
pub fn said(settlement: &Settlement) -> (u64, Said) {
    let said = match &settlement.verdict {
        Verdict::Ack => Said::Ack,
        Verdict::Release => Said::Release,
        Verdict::Retry { after, failures, .. } => Said::Retry { after: *after, failures: *failures },
        Verdict::DeadLetter { reason, .. } => Said::DeadLetter { reason: reason.to_string() },
        other => panic!("this engine does not know {other:?}"),
    };
    (settlement.tag.0, said)
}

/// The other way round.
#[must_use]
pub fn settlement((tag, said): (u64, Said)) -> Settlement {
    let verdict = match said {
        Said::Ack => Verdict::Ack,
        Said::Release => Verdict::Release,
        Said::Retry { after, failures } => Verdict::retry(after, failures),
        Said::DeadLetter { reason } => Verdict::dead_letter(reason),
    };
    Settlement::new(DeliveryTag(tag), verdict)
}

/// Answers for several deliveries.
#[must_use]
pub fn answers(settled: Vec<Result<Settled, ConsumeError>>) -> Answer {
    let answer =
        |settled: Result<_, ConsumeError>| settled.map(|settled| settled == Settled::Done).map_err(Failure::from);
    Answer::Settled(settled.into_iter().map(answer).collect())
}

impl From<Observation> for Seen {
    fn from(seen: Observation) -> Self {
        Self { lag: seen.lag, due: seen.due, oldest: seen.oldest }
    }
}

impl Seen {
    /// The observation, of an engine that was heard of at this moment.
    #[must_use]
    pub fn into_observation(self, heard: Instant) -> Observation {
        let mut observation = Observation::unknown().with_heard(heard.elapsed());
        (observation.lag, observation.due, observation.oldest) = (self.lag, self.due, self.oldest);
        observation
    }
}

/// Writes a frame.
///
/// # Errors
///
/// The connection has ended.
pub async fn write(frame: &impl Serialize, to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Error> {
    let json = serde_json::to_vec(frame)?;
    let length = u32::try_from(json.len()).map_err(|_| Error::from(ErrorKind::InvalidData))?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(json);
    to.write_all(&bytes).await
}

/// Reads a frame. Dropping the future loses what was read of it.
///
/// # Errors
///
/// The connection has ended.
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<T, Error> {
    let mut bytes = vec![0; from.read_u32().await? as usize];
    from.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}
