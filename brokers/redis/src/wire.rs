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

/// Messages go out on channels, to those who are subscribed at that moment.
#[derive(Clone, Debug)]
pub struct PubSub {
    pub(super) prefix: String,
    pub(super) buffer: usize,
}

/// Messages are kept in streams, for consumers to read when they come.
#[derive(Clone, Debug)]
pub struct Streams {
    pub(super) default: String,
    pub(super) trim: Trim,
    pub(super) durable: bool,
    pub(super) lock: Duration,
    pub(super) partitions: Option<u32>,
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
mod tests {
    use uuid::Uuid;

    use super::*;
    use diator::broker::{MessageType, PublishErrorKind};

    const ID: Uuid = Uuid::from_u128(0x82a0_b10e_1b3d_4c3c_9bdd_3934_f8f8_24c2);

    fn pub_sub(prefix: &str) -> Wire {
        PubSub { prefix: prefix.to_owned(), buffer: 1 }.into()
    }

    fn streams(max_len: Option<usize>, durable: bool) -> Wire {
        let (default, lock) = ("diator:events".to_owned(), Duration::from_secs(30));
        let trim = max_len.map_or(Trim::Never, Trim::MaxLen);
        Streams { default, trim, durable, lock, partitions: None }.into()
    }

    fn message() -> OutboundMessage {
        OutboundMessage::new(ID, MessageType::Notification, "UserJoined", *b"{\r\n\0\xff}")
    }

    /// The arguments of a command, as the server gets them.
    fn arguments(wire: &Wire, message: &OutboundMessage) -> Vec<Vec<u8>> {
        let command = wire.command(message).expect("it can be sent");
        let packed = command.get_packed_command();
        let Ok(Value::Array(parts)) = redis::parse_redis_value(&packed) else { panic!("it is no command") };
        parts
            .into_iter()
            .map(|part| if let Value::BulkString(bytes) = part { bytes } else { panic!("{part:?}") })
            .collect()
    }

    fn texts(wire: &Wire, message: &OutboundMessage) -> Vec<String> {
        arguments(wire, message).iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    #[test]
    fn the_channel_is_the_python_librarys() {
        let parts = arguments(&pub_sub("python_diator_channel"), &message());
        assert_eq!(parts[0], b"PUBLISH");
        assert_eq!(parts[1], b"python_diator_channel:notification_event:82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2");
        assert_eq!((&*parts[2], parts.len()), (&*message().body, 3));
    }

    #[test]
    fn a_topic_takes_the_place_of_prefix_or_stream() {
        let message = message().with_topic("orders");
        assert!(texts(&pub_sub("shop"), &message)[1].starts_with("orders:notification_event:82a0b10e"));
        assert_eq!(texts(&streams(None, false), &message)[..3], ["XADD", "orders", "*"]);
    }

    #[test]
    fn a_bare_message_has_the_fields_that_every_message_has() {
        let parts = texts(&streams(Some(1000), false), &message());
        let expected =
            ["XADD", "diator:events", "MAXLEN", "~", "1000", "*", "id", "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2"];
        assert_eq!(parts[..8], expected);
        let expected = ["type", "notification_event", "name", "UserJoined", "content_type", "application/json", "body"];
        assert_eq!((&parts[8..15], parts.len()), (&expected.map(str::to_owned)[..], 16));
        assert_eq!(arguments(&streams(None, false), &message()).last(), Some(&message().body.to_vec()));
    }

    #[test]
    fn everything_a_message_carries_is_kept() {
        let full = message()
            .with_key("Zürich\n")
            .with_correlation_id(ID)
            .with_causation_id(Uuid::from_u128(1))
            .with_traceparent("00-a-b-01")
            .with_content_type("text/plain");
        let parts = texts(&streams(None, false), &full);
        let fields: Vec<_> = parts[3..].chunks(2).map(|pair| (&*pair[0], &*pair[1])).collect();
        let id = ID.to_string();
        for field in [
            ("content_type", "text/plain"),
            ("correlation_id", &*id),
            ("causation_id", "00000000-0000-0000-0000-000000000001"),
            ("key", "Zürich\n"),
            ("traceparent", "00-a-b-01"),
        ] {
            assert!(fields.contains(&field), "{field:?} in {fields:?}");
        }
        assert_eq!(fields.len(), 9);
    }

    #[test]
    fn names_are_checked() {
        for name in ["a", "a:b", "{tag}:a", "ümlaut", &"a".repeat(512)] {
            assert_eq!(problem_of_name(name), None);
        }
        for name in ["", " ", "a b", "a\nb", "a\u{0}", "a\u{a0}b", "a*", "?", "[a]", "a\\", &"a".repeat(513)] {
            assert!(problem_of_name(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn a_topic_that_cannot_be_is_refused_by_build_and_by_publish() {
        let event = EventRoute::new(MessageType::Ecst, "A").with_topic("a*");
        for wire in [pub_sub("shop"), streams(None, false)] {
            assert!(wire.accepts(&EventRoute::new(MessageType::Ecst, "A").with_topic("a")).is_ok());
            assert!(
                wire.accepts(&event).is_err_and(|refusal| refusal.to_string().contains("its topic must have none"))
            );
            let error = wire.command(&message().with_topic("a*")).expect_err("it is refused");
            assert_eq!(error.kind(), PublishErrorKind::Fatal);
        }
    }

    #[test]
    fn a_receipt_says_no_more_than_is_known() {
        let id = || Value::BulkString(b"1-0".to_vec());
        let receipt = |wire: &Wire, reply| wire.receipt(reply).map_err(|error| error.kind());
        assert_eq!(receipt(&pub_sub("a"), Value::Int(0)), Ok(Receipt::Sent));
        assert_eq!(receipt(&streams(None, false), id()), Ok(Receipt::Accepted));
        let persisted = Receipt::Persisted { position: "1-0".to_owned() };
        assert_eq!(receipt(&streams(None, true), id()), Ok(persisted));
        for (wire, reply) in [
            (pub_sub("a"), Value::Okay),
            (pub_sub("a"), Value::Nil),
            (streams(None, true), Value::Int(1)),
            (streams(None, true), Value::BulkString(vec![0xff])),
        ] {
            assert_eq!(receipt(&wire, reply), Err(PublishErrorKind::Ambiguous));
        }
    }

    #[test]
    fn only_what_is_said_to_be_durable_promises_it() {
        assert!(!pub_sub("a").guarantees().confirmed && !pub_sub("a").guarantees().retained);
        assert!(!streams(None, false).guarantees().durable && streams(None, false).guarantees().retained);
        assert!(streams(None, true).guarantees().durable);
    }
}
