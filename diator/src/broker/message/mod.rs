mod header_codec;
mod headers;
mod inbound;
mod message_type;
mod outbound;

pub(crate) use self::header_codec::{HeaderCodec, SENDER, sender_problem};
pub use self::headers::Headers;
pub(crate) use self::headers::is_header_name;
pub use self::inbound::InboundMessage;
pub use self::message_type::MessageType;
pub(super) use self::outbound::JSON;
pub use self::outbound::OutboundMessage;

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::SystemTime;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;

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
}
