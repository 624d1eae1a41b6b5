use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use uuid::Uuid;

use super::{Headers, MessageType};
use crate::shown;

/// A message that arrived, with its envelope read and its payload still JSON.
///
/// # Guarantees
///
/// Reading never panics, whatever arrives; its size and its depth are limited, see [`Decoder`](crate::broker::Decoder).
/// Unknown fields are ignored.
///
/// - `correlation_id`, `causation_id` and `traceparent` come from the body if it has them, and otherwise from the
///   broker's headers.
/// - `payload` of a message that was read is an object. [`new`](Self::new) takes any value: a value that is not an
///   object is refused when a handler's event is read from it, with
///   [`DecodeError::Invalid`](crate::broker::DecodeError::Invalid).
/// - The message does not know whether it arrived before: a consumer that must handle it once must compare `id`.
///
/// # Example
///
/// ```
/// use diator::broker::{InboundMessage, MessageType};
///
/// let body = br#"{"message_type": "notification_event", "message_name": "UserJoined",
///     "message_id": "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2", "payload": {"user_id": 123}}"#;
/// let headers = [("correlation_id", "0192a0b1-0e1b-7d4c-8c9b-dd3934f8f824"), ("tenant", "acme")];
/// let message = InboundMessage::decode(body, Some("application/json"), headers)?;
/// assert_eq!(message.message_type, MessageType::Notification);
/// assert_eq!(message.payload["user_id"], 123);
/// assert!(message.correlation_id.is_some());
/// assert_eq!(message.headers.get("tenant"), Some("acme"));
/// # Ok::<(), diator::broker::DecodeError>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct InboundMessage {
    /// The kind of the event.
    pub message_type: MessageType,
    /// The event's name on the wire.
    pub name: String,
    /// Identifies the message and the event; a message that arrives twice has the same id.
    pub id: Uuid,
    /// When the event happened.
    pub timestamp: Option<SystemTime>,
    /// The conversation that the message belongs to.
    pub correlation_id: Option<Uuid>,
    /// The message that caused this one.
    pub causation_id: Option<Uuid>,
    /// The trace that the message belongs to.
    pub traceparent: Option<Arc<str>>,
    /// Values of the sending program's own, such as a tenant.
    pub headers: Headers,
    /// The event as an object; it may hold `event_id` and `event_timestamp` beside the event's own fields.
    pub payload: Value,
}

impl InboundMessage {
    /// Makes a message with the fields that it must have; the payload should be an object.
    #[must_use]
    pub fn new(message_type: MessageType, name: impl Into<String>, id: Uuid, payload: Value) -> Self {
        let name = name.into();
        Self {
            message_type,
            name,
            id,
            timestamp: None,
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            headers: Headers::new(),
            payload,
        }
    }

    /// Sets the time when the event happened.
    #[must_use]
    pub fn with_timestamp(mut self, timestamp: SystemTime) -> Self {
        self.timestamp = Some(timestamp);
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

    /// Adds a value of the sending program's own.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl fmt::Debug for InboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundMessage")
            .field("message_type", &self.message_type)
            .field("name", &shown::name(&self.name))
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("correlation_id", &self.correlation_id)
            .field("causation_id", &self.causation_id)
            .field("traceparent", &self.traceparent.as_deref().map(shown::name))
            .field("headers", &format_args!("{}", shown::text(format_args!("{:?}", self.headers))))
            .field("payload", &format_args!("{}", shown::text(&self.payload)))
            .finish()
    }
}
