//! What a message becomes: a channel or a stream, and a command. Pure, so that it is tested without a server.

use std::borrow::Cow;
use std::io::Write;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use redis::{Cmd, RedisWrite, Value};
use uuid::fmt::Hyphenated;

use super::partitions::{partition_of, stream};
use diator::broker::{EventRoute, Guarantees, NotAccepted, OutboundMessage, PublishError, Receipt};

/// The mode of channels: the server gives a message to those that are subscribed at that moment.
#[derive(Clone, Debug)]
pub struct PubSub {
    pub(super) prefix: String,
    pub(super) buffer: usize,
}

/// The mode of streams: the server keeps messages until consumers read them.
#[derive(Clone, Debug)]
pub struct Streams {
    pub(super) default: String,
    pub(super) trim: Trim,
    pub(super) durable: bool,
    pub(super) lock: Duration,
    pub(super) partitions: Option<u32>,
    pub(super) replicas: u32,
}

/// Who drops messages of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trim {
    /// Whoever publishes, once there are about so many more.
    MaxLen(usize),
    /// Whoever consumes, once all groups have acknowledged them.
    Consumers,
    /// Others.
    Never,
}

impl Streams {
    /// How many streams a topic has; `None` if its stream is named like itself.
    pub(super) fn partitions(&self) -> Option<NonZeroU32> {
        self.partitions.and_then(NonZeroU32::new)
    }

    /// The stream of a message.
    fn stream_of<'a>(&'a self, message: &'a OutboundMessage) -> Cow<'a, str> {
        let topic = message.topic.as_deref().unwrap_or(&self.default);
        match self.partitions() {
            Some(count) => stream(topic, partition_of(message, count)).into(),
            None => topic.into(),
        }
    }
}

/// Turns messages into commands, and replies into receipts.
#[derive(Clone, Debug)]
pub(super) enum Wire {
    PubSub(PubSub),
    Streams(Streams),
}

impl From<PubSub> for Wire {
    fn from(mode: PubSub) -> Self {
        Self::PubSub(mode)
    }
}

impl From<Streams> for Wire {
    fn from(mode: Streams) -> Self {
        Self::Streams(mode)
    }
}

/// How long a lock may last.
const LOCKS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// How many partitions a topic may have.
const PARTITIONS: RangeInclusive<u32> = 1..=1024;

impl Wire {
    pub(super) fn command(&self, message: &OutboundMessage) -> Result<Cmd, PublishError> {
        let place = message.topic.as_deref();
        if let Some(problem) = place.and_then(problem_of_name) {
            return Err(PublishError::fatal(format!("redis cannot take `{}`: its topic {problem}", message.name)));
        }
        Ok(match self {
            Self::PubSub(mode) => publish(place.unwrap_or(&mode.prefix), message),
            Self::Streams(mode) => add(&mode.stream_of(message), mode.trim, message),
        })
    }

    /// What a reply that is no error says.
    pub(super) fn receipt(&self, reply: Value) -> Result<Receipt, PublishError> {
        match (self, reply) {
            // How many subscribers of this very server: in a cluster it is 0 although others got the message.
            (Self::PubSub(_), Value::Int(_)) => Ok(Receipt::Sent),
            (Self::Streams(Streams { durable: false, .. }), Value::BulkString(_)) => Ok(Receipt::Accepted),
            (Self::Streams(_), Value::BulkString(id)) => {
                let position = String::from_utf8(id).map_err(|error| unexpected().with_source(error))?;
                Ok(Receipt::Persisted { position })
            }
            _ => Err(unexpected()),
        }
    }

    pub(super) fn guarantees(&self) -> Guarantees {
        match self {
            Self::PubSub(_) => Guarantees::none().ordered(),
            Self::Streams(Streams { durable: false, .. }) => Guarantees::none().ordered().confirmed().retained(),
            Self::Streams(_) => Guarantees::none().ordered().confirmed().retained().durable(),
        }
    }

    pub(super) fn accepts(&self, event: &EventRoute<'_>) -> Result<(), NotAccepted> {
        match event.topic.and_then(problem_of_name) {
            None => Ok(()),
            Some(problem) => Err(NotAccepted::new(format!("its topic {problem}"), "give the event another topic")),
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let named = |what, name| problem_of_name(name).map(|problem| format!("the {what} {problem}"));
        match self {
            Self::PubSub(mode) => {
                let buffer =
                    (mode.buffer == 0).then(|| "the buffer must have room for more than 0 messages".to_owned());
                named("prefix of the channels", &mode.prefix).into_iter().chain(buffer).collect()
            }
            Self::Streams(mode) => {
                let lock = mode.lock;
                let length =
                    matches!(mode.trim, Trim::MaxLen(0)).then(|| "a stream must keep more than 0 messages".to_owned());
                let lock = (!LOCKS.contains(&lock))
                    .then(|| format!("the lock must last 1s at least and 1h at most, and lasts {lock:?}"));
                let partitions = mode.partitions.filter(|count| !PARTITIONS.contains(count));
                let partitions =
                    partitions.map(|count| format!("a topic must have 1 to 1024 partitions, and has {count}"));
                named("name of the stream", &mode.default)
                    .into_iter()
                    .chain(length)
                    .chain(lock)
                    .chain(partitions)
                    .collect()
            }
        }
    }

    /// How many streams a topic has, if that is a number that all must agree on.
    pub(super) fn partitions(&self) -> Option<NonZeroU32> {
        if let Self::Streams(mode) = self { mode.partitions() } else { None }
    }

    /// How many replicas must have a message, if any.
    pub(super) fn replicas(&self) -> Option<NonZeroU32> {
        if let Self::Streams(mode) = self { NonZeroU32::new(mode.replicas) } else { None }
    }

    /// The topic of a message.
    pub(super) fn topic_of<'a>(&'a self, message: &'a OutboundMessage) -> &'a str {
        let default = match self {
            Self::PubSub(mode) => &mode.prefix,
            Self::Streams(mode) => &mode.default,
        };
        message.topic.as_deref().unwrap_or(default)
    }

    /// Whether a server must write each message to its disk.
    pub(super) fn durable(&self) -> bool {
        matches!(self, Self::Streams(Streams { durable: true, .. }))
    }
}

fn unexpected() -> PublishError {
    PublishError::ambiguous("redis gave an unexpected answer")
}

/// `PUBLISH <prefix>:<message_type>:<message_id> <body>`
fn publish(prefix: &str, message: &OutboundMessage) -> Cmd {
    let message_type = message.message_type.as_str();
    let mut id = [0; Hyphenated::LENGTH];
    let channel = [prefix, ":", message_type, ":", message.id.hyphenated().encode_lower(&mut id)];
    let length = channel.iter().fold("PUBLISH".len(), |length, part| length.saturating_add(part.len()));
    let mut command = Cmd::with_capacity(3, length.saturating_add(message.body.len()));
    command.arg("PUBLISH");
    let mut argument = command.writer_for_next_arg();
    for part in channel {
        // It writes to memory, which cannot fail.
        let _ = argument.write_all(part.as_bytes());
    }
    drop(argument);
    command.arg(&*message.body);
    command
}

/// `XADD <stream> MAXLEN ~ <n> * id <id> type <type> name <name> …`
fn add(stream: &str, trim: Trim, message: &OutboundMessage) -> Cmd {
    // Room for all fields; a long key or trace makes it grow.
    let length = [stream.len(), message.name.len(), message.body.len()].into_iter().fold(384, usize::saturating_add);
    let mut command = Cmd::with_capacity(24, length);
    command.arg("XADD").arg(stream);
    if let Trim::MaxLen(max_len) = trim {
        command.arg("MAXLEN").arg("~").arg(max_len);
    }
    command.arg("*");
    let mut text = [0; Hyphenated::LENGTH];
    command.arg("id").arg(&*message.id.hyphenated().encode_lower(&mut text));
    command.arg("type").arg(message.message_type.as_str());
    command.arg("name").arg(&*message.name);
    command.arg("content_type").arg(&*message.content_type);
    for (name, id) in [("correlation_id", message.correlation_id), ("causation_id", message.causation_id)] {
        if let Some(id) = id {
            command.arg(name).arg(&*id.hyphenated().encode_lower(&mut text));
        }
    }
    for (name, value) in [("key", message.key.as_deref()), ("traceparent", message.traceparent.as_deref())] {
        if let Some(value) = value {
            command.arg(name).arg(value);
        }
    }
    for (name, value) in message.headers.iter() {
        command.arg(name).arg(value);
    }
    command.arg("body").arg(&*message.body);
    command
}

/// Why something cannot be a prefix, a topic or a stream, as the rest of "the topic …".
pub(super) fn problem_of_name(name: &str) -> Option<&'static str> {
    const LONGEST: usize = 512;
    let blank = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > LONGEST {
        Some("must have 1 to 512 bytes")
    } else if name.contains(blank) {
        Some("must not have blanks or control characters")
    } else if name.contains(['*', '?', '[', ']', '\\']) {
        Some("must have none of `*?[]\\`, which mean something in the patterns of subscribers")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
