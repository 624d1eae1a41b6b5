//! What a message becomes: a channel or a stream, and a command. Pure, so that it is tested without a server.

use std::io::Write;

use ::redis::{Cmd, RedisWrite, Value};
use uuid::fmt::Hyphenated;

use crate::broker::{EventRoute, Guarantees, NotAccepted, OutboundMessage, PublishError, Receipt};

/// Messages go out on channels, to those who are subscribed at that moment.
#[derive(Clone, Debug)]
pub struct PubSub {
    pub(super) prefix: String,
}

/// Messages are kept in streams, for consumers to read when they come.
#[derive(Clone, Debug)]
pub struct Streams {
    pub(super) default: String,
    pub(super) max_len: Option<usize>,
    pub(super) durable: bool,
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

impl Wire {
    pub(super) fn command(&self, message: &OutboundMessage) -> Result<Cmd, PublishError> {
        let place = message.topic.as_deref();
        if let Some(problem) = place.and_then(problem_of_name) {
            return Err(PublishError::fatal(format!("redis cannot take `{}`: its topic {problem}", message.name)));
        }
        Ok(match self {
            Self::PubSub(mode) => publish(place.unwrap_or(&mode.prefix), message),
            Self::Streams(mode) => add(place.unwrap_or(&mode.default), mode.max_len, message),
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
        let (what, name, max_len) = match self {
            Self::PubSub(mode) => ("prefix of the channels", &mode.prefix, None),
            Self::Streams(mode) => ("name of the stream", &mode.default, mode.max_len),
        };
        let name = problem_of_name(name).map(|problem| format!("the {what} {problem}"));
        let length = (max_len == Some(0)).then(|| "a stream must keep more than 0 messages".to_owned());
        name.into_iter().chain(length).collect()
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
    let length: usize = channel.iter().map(|part| part.len()).sum();
    let mut command = Cmd::with_capacity(3, "PUBLISH".len() + length + message.body.len());
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
fn add(stream: &str, max_len: Option<usize>, message: &OutboundMessage) -> Cmd {
    // Room for all fields; a long key or trace makes it grow.
    let mut command = Cmd::with_capacity(24, 384 + stream.len() + message.name.len() + message.body.len());
    command.arg("XADD").arg(stream);
    if let Some(max_len) = max_len {
        command.arg("MAXLEN").arg("~").arg(max_len);
    }
    command.arg("*");
    let mut text = [0; Hyphenated::LENGTH];
    command.arg("id").arg(&*message.id.hyphenated().encode_lower(&mut text));
    command.arg("type").arg(message.message_type.as_str());
    command.arg("name").arg(&*message.name);
    command.arg("content_type").arg(message.content_type);
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
    command.arg("body").arg(&*message.body);
    command
}

/// Why something cannot be a prefix, a topic or a stream, as the rest of "the topic …".
fn problem_of_name(name: &str) -> Option<&'static str> {
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
