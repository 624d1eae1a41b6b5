mod decoder;
mod headers;
mod inbound;
mod outbound;

use std::fmt;
use std::str::FromStr;

pub use self::decoder::Decoder;
pub use self::headers::Headers;
pub(crate) use self::headers::is_header_name;
pub use self::inbound::InboundMessage;
pub use self::outbound::OutboundMessage;
use super::DecodeError;

/// Which kind of event a message carries.
///
/// # Example
///
/// ```
/// use diator::broker::MessageType;
///
/// assert_eq!(MessageType::Ecst.to_string(), "ecst_event");
/// assert_eq!("notification_event".parse::<MessageType>()?, MessageType::Notification);
/// # Ok::<(), diator::broker::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// A notification event: that something happened, and its ids.
    Notification,
    /// An event-carried state transfer: what happened, with the state.
    Ecst,
}

impl MessageType {
    pub(super) const EXPECTED: &str = "`notification_event` or `ecst_event`";

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification_event",
            Self::Ecst => "ecst_event",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MessageType {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        match text {
            "notification_event" => Ok(Self::Notification),
            "ecst_event" => Ok(Self::Ecst),
            other => Err(DecodeError::invalid("message_type", &other.into(), Self::EXPECTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::SystemTime;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        for kind in [MessageType::Notification, MessageType::Ecst] {
            assert_eq!(kind.to_string(), kind.as_str());
            assert_eq!(kind.as_str().parse::<MessageType>().expect("it is the name"), kind);
        }
        let error = "Ecst_Event".parse::<MessageType>().expect_err("case counts");
        let text = "message field `message_type` is `Ecst_Event`, expected `notification_event` or `ecst_event`";
        assert_eq!(error.to_string(), text);
    }

    fn outbound(body: &str) -> OutboundMessage {
        OutboundMessage::new(Uuid::nil(), MessageType::Ecst, "A", body.as_bytes())
    }

    #[test]
    fn cloning_shares_the_body() {
        let message = outbound("{}");
        assert!(std::sync::Arc::ptr_eq(&message.body, &message.clone().body));
    }

    #[test]
    fn debug_shows_the_body_as_text() {
        assert!(format!("{:?}", outbound(r#"{"a":"ü"}"#)).ends_with(r#"body: {"a":"ü"} }"#));
        assert!(format!("{:?}", outbound("a\nb")).ends_with(r#"body: a\nb }"#));
        let binary = OutboundMessage { body: (*b"\xff\x01").into(), ..outbound("") };
        assert!(format!("{binary:?}").ends_with("body: [255, 1] }"));
        let inbound = InboundMessage::new(MessageType::Ecst, "A", Uuid::nil(), json!({"a": "ü\n"}));
        assert!(format!("{inbound:?}").ends_with(r#"payload: {"a":"ü\n"} }"#));
    }

    #[test]
    fn every_part_can_be_set() {
        let id = Uuid::from_u128(1);
        let sent = outbound("{}")
            .with_topic("t")
            .with_key("k")
            .with_correlation_id(id)
            .with_causation_id(id)
            .with_traceparent("p")
            .with_content_type("text/plain".to_owned())
            .with_header("tenant", "acme");
        assert_eq!((sent.topic.as_deref(), sent.key.as_deref()), (Some("t"), Some("k")));
        assert_eq!((sent.correlation_id, sent.causation_id), (Some(id), Some(id)));
        assert_eq!((sent.traceparent.as_deref(), sent.content_type.clone()), (Some("p"), Cow::Borrowed("text/plain")));
        assert_eq!(sent.headers.get("tenant"), Some("acme"));

        let arrived = InboundMessage::new(MessageType::Ecst, "A", id, json!({}))
            .with_timestamp(SystemTime::UNIX_EPOCH)
            .with_correlation_id(id)
            .with_causation_id(id)
            .with_traceparent("p");
        assert_eq!(arrived.timestamp, Some(SystemTime::UNIX_EPOCH));
        assert_eq!((arrived.correlation_id, arrived.causation_id), (Some(id), Some(id)));
        assert_eq!(arrived.traceparent.as_deref(), Some("p"));
    }

    #[test]
    fn what_the_body_lacks_comes_from_the_properties() {
        let (inner, outer) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let python = json!({"message_type": "ecst_event", "message_name": "A", "message_id": inner, "payload": {}});
        let sent = outbound(&python.to_string()).with_correlation_id(outer).with_causation_id(outer);
        let arrived = InboundMessage::try_from(&sent.with_traceparent("p")).expect("it is a message");
        assert_eq!((arrived.id, arrived.correlation_id, arrived.causation_id), (inner, Some(outer), Some(outer)));
        assert_eq!(arrived.traceparent.as_deref(), Some("p"));

        let cloud = json!({"specversion": "1.0", "id": inner, "source": "/a", "type": "A", "messagetype": "ecst_event",
            "correlationid": inner});
        let sent = outbound(&cloud.to_string()).with_correlation_id(outer).with_causation_id(outer);
        let arrived = InboundMessage::try_from(&sent).expect("it is a message");
        assert_eq!((arrived.correlation_id, arrived.causation_id), (Some(inner), Some(outer)));
        assert!(InboundMessage::try_from(&outbound("")).is_err());
    }
}
