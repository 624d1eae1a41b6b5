//! Redis for [`diator`]: Pub/Sub in the Python library's channel scheme, and Streams for messages that are kept.
//!
//! In the [picture of the whole](https://docs.rs/diator/latest/diator/#the-whole) it is the message broker: [`RedisBroker`]
//! publishes, and [`RedisSubscription`] lets the endpoints of other processes consume.
//!
//! | configuration | a message waits for its consumer | order per key |
//! |---|---|---|
//! | [`RedisConfig::pub_sub`] | **no**: who does not listen misses it | no |
//! | [`RedisConfig::streams`] | yes, until the stream is trimmed | no |
//! | [`RedisConfig::streams`] with [`partitions`](RedisConfig::partitions) | yes, until the stream is trimmed | yes |
//!
//! ```no_run
//! use diator::prelude::*;
//! use diator_redis::{RedisBroker, RedisConfig};
//! use serde::Serialize;
//!
//! # #[derive(Debug, Command)]
//! # struct JoinMeeting { user_id: u64 }
//! #[derive(Debug, Serialize, NotificationEvent)]
//! struct UserJoined { user_id: u64 }
//!
//! # #[request_handler(JoinMeeting)]
//! # struct JoinMeetingHandler;
//! # impl RequestHandler<JoinMeeting> for JoinMeetingHandler {
//! async fn handle(&self, command: JoinMeeting, cx: &mut RequestContext<'_, JoinMeeting>) -> Result<(), BoxError> {
//!     cx.emit(UserJoined { user_id: command.user_id });
//!     Ok(())
//! }
//! # }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = RedisBroker::new(RedisConfig::streams("redis://127.0.0.1:6379"))?;
//! broker.ping().await?;
//! let mediator = Mediator::from_registry().broker(broker).build()?;
//! mediator.send(JoinMeeting { user_id: 7 }).await?; // the stream `diator:events` has the event
//! # Ok(())
//! # }
//! ```
//!
//! [`RedisBroker`] says what a message becomes, what is promised, and which error means what; [`RedisSubscription`] says what consumers
//! can rely on. The guide `docs/redis.md` in the repository has failover, trimming, and the rights of the users.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none | one server, without encryption |
//! | `tls` | URLs `rediss://…`, over rustls and ring |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::unwrap_used))]

mod batch;
mod config;
mod connection;
mod deadline;
mod error;
mod login;
mod partitions;
mod replicas;
mod server;
mod slot;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use std::fmt;
use std::slice;
use std::time::Duration;

use async_trait::async_trait;
use diator::InvalidConfig;
use diator::broker::{EventRoute, Guarantees, MessageBroker, NotAccepted, OutboundMessage, PublishError, Receipt};
/// The Redis client, whose [`Client`](redis::Client) a configuration takes in place of a URL.
pub use redis as client;
use redis::{Cmd, Value, cmd};

use self::batch::{Batch, is_lonely, lane, size};
pub use self::config::RedisConfig;
use self::connection::SharedConnection;
use self::deadline::Deadline;
use self::error::{Failure, refused};
use self::partitions::Partitions;
use self::replicas::Replicas;
pub use self::server::RedisServer;
pub use self::subscription::RedisSubscription;
use self::wire::Wire;
pub use self::wire::{PubSub, Streams};

/// Publishes to a Redis server, on Pub/Sub channels or to streams.
///
/// | | [Pub/Sub](RedisConfig::pub_sub) | [Streams](RedisConfig::streams) |
/// |---|---|---|
/// | command | `PUBLISH` | `XADD … MAXLEN ~ n` |
/// | where to | `<prefix>:<message type>:<message id>` | the stream |
/// | an event's topic | takes the place of the prefix | is the name of the stream |
/// | what travels | the body | the fields `id`, `type`, `name`, `content_type`, `correlation_id`, `causation_id`, `key`, `traceparent`, one for each header of the program, and `body`; those that a message lacks are left out |
/// | who gets it | subscribers that listen at that moment | consumers, whenever they come, until it is trimmed |
/// | receipt | [`Sent`](Receipt::Sent) | [`Accepted`](Receipt::Accepted), or [`Persisted`](Receipt::Persisted) with the stream id where the server is [durable](RedisConfig::durable) |
///
/// With Pub/Sub, a key travels only in a format that writes it: `CloudEvents` do, the Python library's does not.
///
/// # Guarantees
///
/// - All calls of a tokio runtime share one connection (and one for large messages). The broker makes it when it first
///   needs it, and makes a new one when it is no longer fit to be used. Nothing has to be restarted, whatever happened
///   to the server.
/// - **Runtimes.** Each runtime has a connection of its own, which ends with it. A broker in a `static` serves runtimes
///   that come and go, such as those of `#[tokio::test]`, also side by side; each costs the server a connection. A call
///   loses its answer only if its own runtime ends.
/// - **Failover.** The broker leaves a server that answers `READONLY`, `MASTERDOWN`, `LOADING`, `NOREPLICAS` or
///   `NOAUTH`: the next call connects anew, and so follows a service name that moved. A replica also takes messages
///   that are published on channels, and drops them; so the driver asks for the `ROLE` when it connects and with each
///   [probe](RedisConfig::probe_after), and publishes nothing to a replica. **A message on a channel can be lost to a
///   demoted server for as long as a probe counts**, 1 s by default, **and a message in a stream if a replica takes
///   over before it has the message**, without [`RedisConfig::replicas`].
/// - **Silence.** Before the driver gives a message to a connection that was silent, it checks without a round trip
///   whether the connection has ended. So a server that was restarted meanwhile makes no message ambiguous. There are
///   two exceptions: a connection that ends less than 5 ms after its last reply counts as in use, and the driver knows
///   nothing of the end before a thread of the runtime is free to see it.
/// - **Callers that give up.** After a call that was not answered, or whose future was dropped, the next call probes
///   the connection. A probe goes on when its caller leaves: a connection that does not answer within half the deadline
///   is replaced, however little patience the callers have.
/// - A batch goes out as one pipeline, or as several one after the other: 1,000 messages and 4 MiB each.
/// - **Size.** A message of more than 1 MiB travels alone, on a second connection for such messages, because a server
///   that finds a message too large closes its connection. That message then fails: as fatal with the server's words,
///   or as ambiguous if these were lost with the connection. Other messages do not fail, unless they are as large and
///   under way at the same time.
/// - One call never sends a message twice.
/// - The broker uses one server, not a cluster: a server that answers `MOVED` refuses the message for good.
///
/// # Errors
///
/// The [`code`](PublishError::code) is the one that Redis gave, and the source has its words.
/// - Transient: not connected by the deadline, or refused for now: `LOADING`, `BUSY`, `READONLY`, `MASTERDOWN`,
///   `CLUSTERDOWN`, `TRYAGAIN`, `OOM`, `MISCONF`, `NOREPLICAS`, too many connections. A server whose `ROLE` is that of
///   a replica has the code `READONLY` too.
/// - Ambiguous: no reply by the deadline; the connection broke before the reply; a reply that makes no sense; fewer
///   [replicas](RedisConfig::replicas) than were asked for have the message.
/// - Fatal: everything else that Redis refuses, such as `NOAUTH`, `WRONGPASS`, `NOPERM` and `WRONGTYPE`; a body that is
///   too large; a topic with blanks or with characters of patterns; a TLS certificate that is not trusted; a server
///   that is not as [durable](RedisConfig::durable) as it was declared to be. These fatal errors
///   [concern every message](PublishError::concerns_destination): a refused login, a user who may not publish at all, a
///   command that the server does not know, `MOVED`, and a server that is not trusted or not durable.
///
/// # Panics
///
/// If it runs outside a tokio runtime with I/O and a timer.
///
/// # Example
///
/// ```no_run
/// use diator_redis::{RedisBroker, RedisConfig};
/// use diator::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = RedisBroker::new(RedisConfig::pub_sub("redis://127.0.0.1:6379").prefix("meetings"))?;
/// let mediator = Mediator::from_registry().broker(broker).build()?;
/// # Ok(())
/// # }
/// ```
pub struct RedisBroker {
    link: SharedConnection,
    wire: Wire,
    partitions: Option<Partitions>,
    replicas: Option<Replicas>,
    deadline: Duration,
    max_body: usize,
}

impl RedisBroker {
    /// Checks the configuration; the broker connects when the first message is published, or with [`ping`](Self::ping).
    ///
    /// # Errors
    ///
    /// One report lists every problem; it repeats no part of the URL.
    #[allow(private_bounds, reason = "the modes are `PubSub` and `Streams`")]
    pub fn new<M: Into<Wire> + Clone>(config: RedisConfig<M>) -> Result<Self, InvalidConfig> {
        let config = config.check()?;
        let (deadline, max_body, wire) = (config.deadline, config.max_body, config.wire.clone());
        let partitions = matches!(wire, Wire::Streams(_)).then(|| Partitions::new(wire.partitions()));
        let replicas = wire.replicas().map(|count| Replicas::new(count, deadline));
        Ok(Self { link: SharedConnection::new(config), wire, partitions, replicas, deadline, max_body })
    }

    /// Connects, unless the broker is connected, and asks the server whether it is there.
    ///
    /// It is for a program that would rather not start than find out with its first message. It does not ask whether
    /// the user may publish.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](MessageBroker::publish).
    pub async fn ping(&self) -> Result<(), PublishError> {
        match self
            .reply(&cmd("PING"), 0, Deadline::new(self.deadline))
            .await
            .map_err(|failure| self.error(&failure, 0))?
        {
            // Who may not even say `PING` is connected all the same.
            Value::ServerError(error) if error.code() != "NOPERM" => Err(refused(error)),
            _ => Ok(()),
        }
    }

    fn command(&self, message: &OutboundMessage, wrong: &[(&str, String)]) -> Result<Cmd, PublishError> {
        let (length, limit) = (message.body.len(), self.max_body);
        if length > limit {
            let name = message.name.escape_debug();
            return Err(PublishError::fatal(format!(
                "redis cannot take `{name}`: its body has {length} bytes, and {limit} is the limit"
            )));
        }
        let topic = self.wire.topic_of(message);
        if let Some((_, problem)) = wrong.iter().find(|(wrong, _)| *wrong == topic) {
            return Err(PublishError::fatal(problem.clone()));
        }
        self.wire.command(message)
    }

    /// What is wrong with the partitions of topics.
    async fn disagreements<'m>(
        &'m self,
        messages: &'m [OutboundMessage],
        deadline: Deadline,
    ) -> Result<Vec<(&'m str, String)>, Failure> {
        let Some(partitions) = &self.partitions else { return Ok(Vec::new()) };
        let topics = messages.iter().map(|message| self.wire.topic_of(message));
        partitions.disagreements(&self.link, topics, deadline).await.map_err(Failure::of_question)
    }

    async fn reply(&self, command: &Cmd, size: usize, deadline: Deadline) -> Result<Value, Failure> {
        self.link.ready(lane(size), deadline).await?.command(deadline, command).await
    }

    async fn replies(&self, batch: &Batch, deadline: Deadline) -> Result<Vec<Value>, Failure> {
        if batch.pipeline().is_empty() {
            return Ok(Vec::new());
        }
        if deadline.is_over() {
            return Err(Failure::NotSent(deadline.length()));
        }
        self.link.ready(lane(batch.bytes_of_one()), deadline).await?.pipeline(deadline, batch.pipeline()).await
    }

    fn receipt(&self, reply: Value) -> Result<Receipt, PublishError> {
        match reply {
            Value::ServerError(error) => Err(refused(error)),
            reply => self.wire.receipt(reply),
        }
    }

    /// The error of a message of that size.
    fn error(&self, failure: &Failure, size: usize) -> PublishError {
        failure.at(self.link.address(), Some(size).filter(|size| is_lonely(*size)))
    }
}

#[async_trait]
impl MessageBroker for RedisBroker {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        if self.replicas.is_some() {
            return self.publish_batch(slice::from_ref(message)).await.swap_remove(0);
        }
        let deadline = Deadline::new(self.deadline);
        let command = {
            let wrong = self.disagreements(slice::from_ref(message), deadline).await;
            self.command(message, &wrong.map_err(|failure| self.error(&failure, 0))?)?
        };
        let size = size(message);
        self.receipt(self.reply(&command, size, deadline).await.map_err(|failure| self.error(&failure, size))?)
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        let deadline = Deadline::new(self.deadline);
        let wrong = match self.disagreements(messages, deadline).await {
            Ok(wrong) => wrong,
            Err(failure) => return messages.iter().map(|_| Err(self.error(&failure, 0))).collect(),
        };
        let mut answers = Vec::with_capacity(messages.len());
        while answers.len() < messages.len() {
            let rest = messages.get(answers.len()..).unwrap_or_default();
            let batch = Batch::of(rest, self.replicas, |message| self.command(message, &wrong));
            let (replies, size) = (self.replies(&batch, deadline).await, batch.bytes_of_one());
            answers.extend(batch.answers(replies, |reply| self.receipt(reply), |failure| self.error(failure, size)));
        }
        answers
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.deadline)
    }

    fn guarantees(&self) -> Guarantees {
        self.wire.guarantees().max_body(self.max_body)
    }

    fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        self.wire.accepts(event)
    }
}

impl fmt::Debug for RedisBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBroker")
            .field("server", &self.link.address())
            .field("mode", &self.wire)
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}

/// The README's program, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
