use super::{MessageType, OutboundMessage};

/// Describes an event before it is emitted, so that a broker can tell where it would go.
///
/// `build()` makes one of each notification and ECST event that the program knows, and asks the broker whether it
/// [accepts](super::MessageBroker::accepts) it.
///
/// # Example
///
/// ```
/// use diator::broker::{EventRoute, MessageType};
///
/// let route = EventRoute::new(MessageType::Ecst, "OrderChanged").with_topic("orders");
/// assert_eq!((route.name, route.topic), ("OrderChanged", Some("orders")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRoute<'a> {
    /// The kind of the event.
    pub message_type: MessageType,
    /// The event's name on the wire.
    pub name: &'a str,
    /// The topic that the event names; `None` leaves the place to the broker.
    pub topic: Option<&'a str>,
}

impl<'a> EventRoute<'a> {
    /// Describes an event that names no topic.
    #[must_use]
    pub const fn new(message_type: MessageType, name: &'a str) -> Self {
        Self { message_type, name, topic: None }
    }

    /// Sets the topic that the event names.
    #[must_use]
    pub const fn with_topic(mut self, topic: &'a str) -> Self {
        self.topic = Some(topic);
        self
    }
}

impl<'a> From<&'a OutboundMessage> for EventRoute<'a> {
    fn from(message: &'a OutboundMessage) -> Self {
        Self { message_type: message.message_type, name: &message.name, topic: message.topic.as_deref() }
    }
}

/// Why a broker does not accept an event, and what to do about it.
///
/// The report of `build()` shows both, beside the place where the event is declared.
///
/// Neither text is escaped here: a broker that quotes a name from its configuration must keep it on one line. `source()` is
/// `None`.
///
/// # Example
///
/// ```
/// use diator::broker::NotAccepted;
///
/// let refusal = NotAccepted::new("no route takes it", "add a route for the topic `orders`");
/// assert_eq!((refusal.to_string().as_str(), refusal.remedy()), ("no route takes it", "add a route for the topic `orders`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotAccepted {
    reason: String,
    remedy: String,
}

impl NotAccepted {
    /// Takes the reason, as the rest of "the broker does not accept the event: …", and what to change.
    #[must_use]
    pub fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}
