use std::fmt;
use std::time::Duration;

use super::server::{RedisServer, Server};
use super::wire::{PubSub, Streams, Trim, Wire};
use diator::InvalidConfig;

/// Names the Redis server, and says how messages are written there and how long a call may take; for a broker and for a
/// subscription.
///
/// Nothing is checked until [`RedisBroker::new`](super::RedisBroker::new) checks everything at once. A method that
/// belongs to one of the modes exists only for the configuration of that mode.
///
/// # Units
///
/// - `deadline`: how long a call may take, connecting included; 5 s by default, more than zero, at most 1 h.
/// - `max_body`: bytes; 536,870,912 by default, the limit of a Redis server without settings of its own
///   (`proto-max-bulk-len`); more than zero.
/// - `probe_after`: how long the answer to a probe counts, also while the connection is in use; 1 s by default; zero
///   probes before each call.
/// - `renew_after`: how long a connection is used before another one takes its place; 60 s by default.
/// - `buffer`: how many messages of channels may wait; 10,000 by default, more than zero.
/// - `max_len`: how many messages a stream keeps; 1,000,000 by default, more than zero.
/// - `partitions`: how many streams a topic has, 1 to 1,024; by default it has one, which is named like the topic.
/// - `replicas`: how many replicas must have a message; 0 by default, which waits for none.
/// - `lock`: how long a delivery belongs to the process that has it; 30 s by default, from 1 s to 1 h.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::broker::MessageBroker;
/// use diator_redis::{RedisBroker, RedisConfig};
///
/// let config = RedisConfig::streams("redis://127.0.0.1:6379").max_len(100_000).deadline(Duration::from_secs(2));
/// assert!(RedisBroker::new(config)?.guarantees().retained);
///
/// let error = RedisBroker::new(RedisConfig::pub_sub("http://127.0.0.1").prefix("a*")).unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// # Ok::<(), diator::InvalidConfig>(())
/// ```
#[derive(Clone)]
#[must_use = "a configuration does nothing until a broker has it"]
pub struct RedisConfig<M> {
    server: RedisServer,
    deadline: Duration,
    max_body: usize,
    probe_after: Duration,
    renew_after: Duration,
    mode: M,
}

impl RedisConfig<PubSub> {
    /// Publishes on one channel for each message, as the Python library does: the server keeps no message, and only
    /// current subscribers get it.
    pub fn pub_sub(server: impl Into<RedisServer>) -> Self {
        Self::with(server.into(), PubSub { prefix: "python_diator_channel".to_owned(), buffer: 10_000 })
    }

    /// Sets how the names of channels begin if the event has no topic; `python_diator_channel` by default.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.mode.prefix = prefix.into();
        self
    }

    /// Sets how many messages of channels may wait in this process; only a subscription uses it.
    ///
    /// The server keeps none: **a message that finds no room is lost.** The subscription counts it, see
    /// [`RedisSubscription::overflowed`](super::RedisSubscription::overflowed).
    pub fn buffer(mut self, messages: usize) -> Self {
        self.mode.buffer = messages;
        self
    }
}

impl RedisConfig<Streams> {
    /// Adds messages to streams, where consumer groups find them.
    pub fn streams(server: impl Into<RedisServer>) -> Self {
        let (default, lock) = ("diator:events".to_owned(), Duration::from_secs(30));
        Self::with(
            server.into(),
            Streams { default, trim: Trim::MaxLen(1_000_000), durable: false, lock, partitions: None, replicas: 0 },
        )
    }

    /// Sets the stream of messages whose event has no topic; `diator:events` by default.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.mode.default = name.into();
        self
    }

    /// Drops the oldest messages of a stream once it has about this many more, **whether or not somebody has read
    /// them**.
    pub fn max_len(mut self, messages: usize) -> Self {
        self.mode.trim = Trim::MaxLen(messages);
        self
    }

    /// Drops no message; somebody else must trim the streams.
    pub fn untrimmed(mut self) -> Self {
        self.mode.trim = Trim::Never;
        self
    }

    /// Drops a message when all consumer groups of its stream have acknowledged it: the subscriptions do so every few
    /// seconds, and once a minute while no message comes.
    ///
    /// So no group loses a message that it has not handled. **A group that nobody reads any more keeps every message
    /// that comes after it**: remove it with `XGROUP DESTROY`. A reader without a group does not hold messages back,
    /// and a group that is made later begins at the messages that are left.
    pub fn trimmed_by_consumers(mut self) -> Self {
        self.mode.trim = Trim::Consumers;
        self
    }

    /// Orders the messages of a key: each topic has this many streams, `orders.0`, `orders.1` and so on, and a key
    /// stays in one of them.
    ///
    /// A subscription then leases partitions, so that one process at a time has the messages of a key, and can be read
    /// with [`Order::PerKey`](diator::endpoint::Order::PerKey). The first to connect writes the number to the server; a
    /// broker or a subscription with another number, or with none, refuses to work. At most as many processes share a
    /// topic as it has partitions.
    pub fn partitions(mut self, count: u32) -> Self {
        self.mode.partitions = Some(count);
        self
    }

    /// Declares that the server writes each message to its disk before it answers: `appendonly yes` and
    /// `appendfsync always`.
    ///
    /// The broker then promises [durability](diator::broker::Guarantees::durable), and asks for those settings whenever
    /// it connects, and with each [probe](Self::probe_after): a server with other settings gets no message. The first
    /// call that begins more than `probe_after` later, 1 s by default, notices a change on a live connection; **until
    /// then the receipt promises more than the server does**. If the server does not answer the question, the broker
    /// believes the declaration.
    /// receipt says more than the server does**. A server that does not let itself be asked is believed.
    pub fn durable(mut self) -> Self {
        self.mode.durable = true;
        self
    }

    /// Lets a message count as taken only when this many replicas have it, too; only a broker uses it.
    ///
    /// Redis answers before its replicas have the message. **So a failover to a replica loses messages that were
    /// acknowledged a moment before, though the server is [durable](Self::durable)**; an outbox does not help, because
    /// it has noted the message as sent. With this setting each pipeline ends in a `WAIT`, for half of the deadline at
    /// most. If fewer replicas have the message by then, the message is ambiguous: a relay sends it again, and an inbox
    /// recognises it. Ask for as many replicas as may take over; while one of them is away, all messages wait in the
    /// outbox.
    ///
    /// Each call then takes a round trip from the server to its replicas, and calls on the same connection wait for one
    /// another.
    pub fn replicas(mut self, count: u32) -> Self {
        self.mode.replicas = count;
        self
    }

    /// Sets how long a delivery belongs to the process that has it, unless that process extends the lock; only a
    /// subscription uses it.
    ///
    /// After a crash, another process gets the deliveries this much later. **All processes of an endpoint must have the
    /// same lock.**
    pub fn lock(mut self, time: Duration) -> Self {
        self.mode.lock = time;
        self
    }
}

#[allow(private_bounds, reason = "the modes are `PubSub` and `Streams`")]
impl<M: Into<Wire> + Clone> RedisConfig<M> {
    fn with(server: RedisServer, mode: M) -> Self {
        Self {
            server,
            deadline: Duration::from_secs(5),
            max_body: 512 * 1024 * 1024,
            probe_after: Duration::from_secs(1),
            renew_after: Duration::from_secs(60),
            mode,
        }
    }

    /// Limits each call, connecting and reconnecting included.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// Refuses larger bodies before they are sent: the server would close the connection.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the age after which a probe no longer counts: the broker then probes the connection before it gives it a
    /// message.
    ///
    /// A probe is one round trip for all calls that wait at that moment. It asks whether the server is there, whether
    /// it is a primary (`ROLE`), and whether it is still as [durable](Self::durable) as it was declared to be. So a
    /// server that was demoted, or that no longer stores messages, gets no message of a call that begins this much
    /// later. After a call that was not answered, or whose caller went away, the next call probes at once.
    ///
    /// A user without the right to `ROLE` can still publish: then the driver believes that the server is a primary, and
    /// `PING` tells whether it is there.
    pub fn probe_after(mut self, time: Duration) -> Self {
        self.probe_after = time;
        self
    }

    /// Sets the age at which a new connection replaces one that is being probed; if that fails, the old one stays.
    ///
    /// So the broker follows a service name that moved to another server, even if the former server still answers.
    pub fn renew_after(mut self, time: Duration) -> Self {
        self.renew_after = time;
        self
    }

    pub(super) fn check(self) -> Result<Checked, InvalidConfig> {
        let mut problems = Vec::new();
        let server = self.server.check(&mut problems);
        let wire = self.mode.into();
        problems.extend(wire.problems());
        if self.deadline.is_zero() || self.deadline > Duration::from_secs(3600) {
            problems.push(format!("the deadline must be more than zero and at most 1h, and is {:?}", self.deadline));
        }
        if self.max_body == 0 {
            problems.push("the largest body must have more than 0 bytes".to_owned());
        }
        match server {
            Some(server) if problems.is_empty() => Ok(Checked {
                server,
                deadline: self.deadline,
                max_body: self.max_body,
                probe_after: self.probe_after,
                renew_after: self.renew_after,
                wire,
            }),
            _ => Err(InvalidConfig::new("redis configuration", problems)),
        }
    }
}

/// What a broker works with.
pub(super) struct Checked {
    pub(super) server: Server,
    pub(super) deadline: Duration,
    pub(super) max_body: usize,
    pub(super) probe_after: Duration,
    pub(super) renew_after: Duration,
    pub(super) wire: Wire,
}

impl<M: fmt::Debug> fmt::Debug for RedisConfig<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("server", &self.server)
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .field("probe_after", &self.probe_after)
            .field("renew_after", &self.renew_after)
            .field("mode", &self.mode)
            .finish()
    }
}

#[cfg(test)]
mod tests;
