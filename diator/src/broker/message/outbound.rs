use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::{Headers, MessageType};
use crate::shown;

/// The media type of a body of which nothing else is said.
pub(in crate::broker) const JSON: &str = "application/json";

/// A message on its way to the broker: encoded once, and the same at every attempt.
///
/// The mediator makes messages of events. A program that has stored a message builds it anew with [`new`](Self::new)
/// and the `with_…` methods. A driver must send `body` as it is; the other fields are for routing and for the broker's
/// own properties. Cloning shares the body.
///
/// # Guarantees
///
/// - The mediator encodes a message before the commit, so that a message that cannot be written fails its request and not the
///   publishing. From then on, its bytes stay the same.
/// - The mediator gives each of its messages a correlation id and a causation id: the latter is the id of the message
///   whose handlers emitted the event.
/// - The mediator draws the id, a UUID v7, when the event is emitted. The time in the body is of that moment too, not
///   of the publishing.
/// - `Debug` is one line: it shows the body as text, escaped and cut at 1,000 characters. A body with secrets shows them.
///
/// # Units
///
/// Nothing limits the body here; [`Guarantees::max_body`](crate::broker::Guarantees::max_body) tells how large a body
/// the broker takes, in bytes.
///
/// # Example
///
/// ```
/// use diator::broker::{MessageType, OutboundMessage};
/// use uuid::Uuid;
///
/// let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, "UserChanged", *b"{}").with_topic("users");
/// assert_eq!(message.topic.as_deref(), Some("users"));
/// assert_eq!(message.content_type, "application/json");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboundMessage {
    /// Identifies the message and the event; it stays the same if the message is published again.
    pub id: Uuid,
    /// The kind of the event.
    pub message_type: MessageType,
    /// The event's name on the wire.
    pub name: Cow<'static, str>,
    /// The topic that the event names; `None` leaves the place to the driver.
    pub topic: Option<Cow<'static, str>>,
    /// The subject of the message: messages with the same key should stay in order.
    pub key: Option<String>,
    /// The conversation that the message belongs to.
    pub correlation_id: Option<Uuid>,
    /// The message that caused this one.
    pub causation_id: Option<Uuid>,
    /// The trace that the message belongs to, as the W3C header of that name has it.
    pub traceparent: Option<Arc<str>>,
    /// The media type of `body`.
    pub content_type: Cow<'static, str>,
    /// Values of the program's own, such as a tenant.
    pub headers: Headers,
    /// The bytes that go over the wire.
    pub body: Arc<[u8]>,
}

impl OutboundMessage {
    /// Makes a message with the fields that it must have; its content type is `application/json`.
    #[must_use]
    pub fn new(
        id: Uuid,
        message_type: MessageType,
        name: impl Into<Cow<'static, str>>,
        body: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self {
            id,
            message_type,
            name: name.into(),
            topic: None,
            key: None,
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            content_type: Cow::Borrowed(JSON),
            headers: Headers::new(),
            body: body.into(),
        }
    }

    /// Sets the topic.
    #[must_use]
    pub fn with_topic(mut self, topic: impl Into<Cow<'static, str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the conversation that the message belongs to.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets the message that caused this one.
    #[must_use]
    pub fn with_causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets the trace that the message belongs to.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Sets the media type of the body, if it is not `application/json`.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Cow<'static, str>>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// Adds a value of the program's own; a name must have at most 20 characters, lower-case letters and digits.
    ///
    /// The call does not check the name: [`MediatorBuilder::header`](crate::MediatorBuilder::header) does, and a header
    /// whose name it would refuse may not arrive.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl fmt::Debug for OutboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundMessage")
            .field("id", &self.id)
            .field("message_type", &self.message_type)
            .field("name", &shown::name(&self.name))
            .field("topic", &self.topic.as_deref().map(shown::name))
            .field("key", &self.key.as_deref().map(shown::name))
            .field("correlation_id", &self.correlation_id)
            .field("causation_id", &self.causation_id)
            .field("traceparent", &self.traceparent.as_deref().map(shown::name))
            .field("content_type", &shown::name(&self.content_type))
            .field("headers", &format_args!("{}", shown::text(format_args!("{:?}", self.headers))))
            .field("body", &Body(&self.body))
            .finish()
    }
}

/// Shows a body as the text that it is, unless that could forge a line of a log; what is long is shortened.
struct Body<'a>(&'a [u8]);

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) => f.write_str(&shown::text(text)),
            Err(_) => f.write_str(&shown::text(format_args!("{:?}", self.0))),
        }
    }
}
