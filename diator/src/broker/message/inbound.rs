use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use uuid::Uuid;

use super::{MessageType, OutboundMessage};
use crate::broker::{DecodeError, format};

/// A message that arrived, with its envelope read and its payload still JSON.
///
/// # Guarantees
///
/// Reading never panics, whatever arrives, and its depth is limited to 127 levels. Unknown fields are passed over.
///
/// # Example
///
/// ```
/// use diator::broker::{InboundMessage, MessageType};
///
/// let message = InboundMessage::from_slice(br#"{"message_type": "notification_event", "message_name": "UserJoined",
///     "message_id": "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2", "payload": {"user_id": 123}}"#)?;
/// assert_eq!(message.message_type, MessageType::Notification);
/// assert_eq!(message.payload["user_id"], 123);
/// # Ok::<(), diator::broker::DecodeError>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct InboundMessage {
    /// Which kind of event it is.
    pub message_type: MessageType,
    /// The event's name on the wire.
    pub name: String,
    /// Identifies the message and the event; a message that arrives twice has the same one.
    pub id: Uuid,
    /// When the event happened.
    pub timestamp: Option<SystemTime>,
    /// The conversation that the message belongs to.
    pub correlation_id: Option<Uuid>,
    /// The message that caused this one.
    pub causation_id: Option<Uuid>,
    /// The trace that the message belongs to.
    pub traceparent: Option<Arc<str>>,
    /// The event as an object; it may hold `event_id` and `event_timestamp` beside the event's own fields.
    pub payload: Value,
}

impl InboundMessage {
    /// A message with what it must have; the payload should be an object.
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
            payload,
        }
    }

    /// Reads a message in either [`Format`](crate::broker::Format), which it tells apart by their fields.
    ///
    /// A `traceparent` that is not what W3C describes is left out; everything else must be right or absent.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], whose variants tell what is wrong with which field; [`DecodeError::Payload`] is not among
    /// them, since the event is not read here.
    pub fn from_slice(body: &[u8]) -> Result<Self, DecodeError> {
        format::decode(body)
    }

    /// Says when the event happened.
    #[must_use]
    pub fn with_timestamp(mut self, timestamp: SystemTime) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Says which conversation it belongs to.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Says which message caused it.
    #[must_use]
    pub fn with_causation_id(mut self, id: Uuid) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Puts it into a trace.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<Arc<str>>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }
}

/// Reads back what was published, as if a broker had carried it with its properties.
impl TryFrom<&OutboundMessage> for InboundMessage {
    type Error = DecodeError;

    fn try_from(sent: &OutboundMessage) -> Result<Self, DecodeError> {
        let mut message = Self::from_slice(&sent.body)?;
        message.correlation_id = message.correlation_id.or(sent.correlation_id);
        message.causation_id = message.causation_id.or(sent.causation_id);
        message.traceparent = message.traceparent.or_else(|| sent.traceparent.clone());
        Ok(message)
    }
}

impl fmt::Debug for InboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundMessage")
            .field("message_type", &self.message_type)
            .field("name", &self.name)
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("correlation_id", &self.correlation_id)
            .field("causation_id", &self.causation_id)
            .field("traceparent", &self.traceparent)
            .field("payload", &format_args!("{}", self.payload))
            .finish()
    }
}
