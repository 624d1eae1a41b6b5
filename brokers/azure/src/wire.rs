//! What a message becomes: the entity, the body and the headers. Pure, so that it is tested without a server.

use std::collections::HashMap;
use std::sync::Arc;

use azure_messaging_servicebus::service_bus::SendMessageOptions;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Map, Value};

use super::entity::Entities;
use super::options::{MessageOptions, full_second, is_property_value};
use diator::broker::{OutboundMessage, PublishError};

pub(super) type Customise = Arc<dyn Fn(&OutboundMessage, MessageOptions) -> MessageOptions + Send + Sync>;

/// Turns messages into requests.
pub(super) struct Wire {
    pub(super) entities: Entities,
    pub(super) options: MessageOptions,
    pub(super) customise: Option<Customise>,
    pub(super) max_body: usize,
    pub(super) sessions: bool,
}

/// A message, ready to be sent.
pub(super) struct Request<'a> {
    pub(super) entity: &'a str,
    pub(super) body: &'a str,
    pub(super) session: Option<String>,
    pub(super) options: SendMessageOptions,
}

impl Wire {
    pub(super) fn request<'a>(&'a self, message: &'a OutboundMessage) -> Result<Request<'a>, PublishError> {
        let entity = self.entities.find(message.topic.as_deref()).map_err(|refusal| unsendable(message, &refusal))?;
        let body = self.body(message)?;
        let options = self.options(message)?;
        let session = options.session_id.clone();
        let options = SendMessageOptions {
            content_type: Some(message.content_type.clone().into_owned()),
            // Ours, among the headers: the client's own writes dates that the service does not document, and text
            // beyond ASCII as it is.
            broker_properties: None,
            custom_properties: Some(headers(message, &options)),
        };
        Ok(Request { entity, body, session, options })
    }

    fn body<'a>(&self, message: &'a OutboundMessage) -> Result<&'a str, PublishError> {
        let (length, limit) = (message.body.len(), self.max_body);
        if length > limit {
            return Err(unsendable(message, &format!("its body has {length} bytes, and {limit} is the limit")));
        }
        std::str::from_utf8(&message.body)
            .map_err(|error| unsendable(message, &format!("its body is not a text: {error}")))
    }

    /// The options of one message; its session id is the key, unless it was given another.
    fn options(&self, message: &OutboundMessage) -> Result<MessageOptions, PublishError> {
        let mut options = self.options.clone();
        if let Some(customise) = &self.customise {
            options = customise(message, options);
        }
        options.session_id = options.session_id.or_else(|| message.key.clone().filter(|key| !key.is_empty()));
        if self.sessions && options.session_id.is_none() {
            return Err(unsendable(message, &"the topic or queue has sessions, and the message has no key"));
        }
        match &*options.problems() {
            [] => Ok(options),
            problems => Err(unsendable(message, &problems.join("; "))),
        }
    }
}

fn unsendable(message: &OutboundMessage, why: &dyn std::fmt::Display) -> PublishError {
    PublishError::fatal(format!("service bus driver cannot send `{}`: {why}", message.name.escape_debug()))
}

fn headers(message: &OutboundMessage, options: &MessageOptions) -> HashMap<String, String> {
    let mut headers: HashMap<_, _> =
        options.properties.iter().map(|(name, value)| (name.clone(), literal(value))).collect();
    headers.extend(message.headers.iter().map(|(name, value)| (name.to_owned(), literal(value))));
    headers.insert("brokerproperties".to_owned(), broker_properties(message, options));
    headers.insert("messagetype".to_owned(), literal(message.message_type.as_str()));
    if let Some(id) = message.causation_id {
        headers.insert("causationid".to_owned(), literal(&id.to_string()));
    }
    match message.traceparent.as_deref() {
        Some(trace) if is_property_value(trace) => {
            headers.insert("traceparent".to_owned(), literal(trace));
        }
        Some(_) => tracing::warn!(message_id = %message.id, "a traceparent that cannot be a header was left out"),
        None => {}
    }
    headers
}

/// How a text is written in the header of a custom property: without its quotes, the service refuses it.
fn literal(text: &str) -> String {
    format!("\"{text}\"")
}

fn broker_properties(message: &OutboundMessage, options: &MessageOptions) -> String {
    let mut properties = Map::new();
    properties.insert("MessageId".to_owned(), message.id.to_string().into());
    properties.insert("Label".to_owned(), (*message.name).into());
    if let Some(id) = message.correlation_id {
        properties.insert("CorrelationId".to_owned(), id.to_string().into());
    }
    if let Some(session) = &options.session_id {
        properties.insert("SessionId".to_owned(), session.as_str().into());
        properties.insert("PartitionKey".to_owned(), session.as_str().into());
    }
    if let Some(time) = options.time_to_live {
        let whole = time.subsec_nanos() == 0;
        let seconds = if whole { time.as_secs().into() } else { time.as_secs_f64().into() };
        properties.insert("TimeToLive".to_owned(), seconds);
    }
    let scheduled = options.scheduled_for.and_then(full_second);
    if let Some(time) = scheduled.and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()) {
        properties.insert("ScheduledEnqueueTimeUtc".to_owned(), time.into());
    }
    ascii(&Value::Object(properties).to_string())
}

/// The same JSON without a character that a header must not have; such characters stand in strings only.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        match c {
            ' '..='~' => text.push(c),
            _ => text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use uuid::Uuid;

    use super::*;
    use diator::broker::{MessageType, PublishErrorKind};

    fn wire() -> Wire {
        let entities = Entities { default: Some("all".to_owned()), ..Entities::default() };
        Wire { entities, options: MessageOptions::new(), customise: None, max_body: 8, sessions: false }
    }

    fn message() -> OutboundMessage {
        named("Changed")
    }

    fn named(name: &'static str) -> OutboundMessage {
        OutboundMessage::new(Uuid::from_u128(1), MessageType::Ecst, name, *b"{}")
    }

    fn sent(wire: &Wire, message: &OutboundMessage) -> HashMap<String, String> {
        wire.request(message).expect("it can be sent").options.custom_properties.expect("there are headers")
    }

    fn refusal(wire: &Wire, message: &OutboundMessage) -> String {
        let error = wire.request(message).err().expect("it cannot be sent");
        assert_eq!(error.kind(), PublishErrorKind::Fatal);
        error.to_string()
    }

    #[test]
    fn a_bare_message_has_id_label_and_type() {
        let (wire, message) = (wire(), message());
        let request = wire.request(&message).expect("it can be sent");
        assert_eq!((request.entity, request.body, request.session), ("all", "{}", None));
        assert_eq!(request.options.content_type.as_deref(), Some("application/json"));
        let mut headers: Vec<_> = request.options.custom_properties.expect("there are headers").into_iter().collect();
        headers.sort();
        let broker = r#"{"Label":"Changed","MessageId":"00000000-0000-0000-0000-000000000001"}"#;
        let expected = [("brokerproperties", broker), ("messagetype", "\"ecst_event\"")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn ids_key_and_options_travel() {
        let mut wire = wire();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_776_500);
        wire.options = MessageOptions::new()
            .time_to_live(Duration::from_millis(4444))
            .scheduled_for(time)
            .property("tenant", "acme & sons");
        let id = Uuid::from_u128(2);
        let message = message()
            .with_topic("shop/orders")
            .with_key("7")
            .with_correlation_id(id)
            .with_causation_id(id)
            .with_traceparent("00-a-b-01")
            .with_content_type("text/plain");
        let request = wire.request(&message).expect("it can be sent");
        assert_eq!((request.entity, request.session.as_deref()), ("shop/orders", Some("7")));
        assert_eq!(request.options.content_type.as_deref(), Some("text/plain"));
        let headers = sent(&wire, &message);
        let quoted = format!("\"{id}\"");
        let properties = [("tenant", "\"acme & sons\""), ("causationid", &quoted), ("traceparent", "\"00-a-b-01\"")];
        for (name, value) in properties {
            assert_eq!(headers[name], value);
        }
        let broker: Value = serde_json::from_str(&headers["brokerproperties"]).expect("it is json");
        let expected = serde_json::json!({
            "MessageId": message.id.to_string(), "Label": "Changed", "CorrelationId": id.to_string(),
            "SessionId": "7", "PartitionKey": "7", "TimeToLive": 4.444,
            "ScheduledEnqueueTimeUtc": "Sun, 06 Nov 1994 08:49:37 GMT",
        });
        assert_eq!(broker, expected);
    }

    #[test]
    fn what_a_header_must_not_have_is_escaped() {
        let message = named("Zoë\n🦀\u{7f}\"").with_key("ключ");
        let properties = &sent(&wire(), &message)["brokerproperties"];
        assert!(properties.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{properties}");
        let json: Value = serde_json::from_str(properties).expect("it is json");
        assert_eq!((json["Label"].as_str(), json["SessionId"].as_str()), (Some(&*message.name), Some("ключ")));
    }

    #[test]
    fn options_can_depend_on_the_message() {
        let mut wire = wire();
        wire.options = MessageOptions::new().property("a", "1");
        wire.customise = Some(Arc::new(|message, options| match &*message.name {
            "Changed" => options.time_to_live(Duration::from_secs(10)).session_id("other"),
            _ => options.property("no name", "x\n"),
        }));
        let headers = sent(&wire, &message().with_key("7"));
        assert_eq!(headers["a"], "\"1\"");
        assert!(headers["brokerproperties"].contains(r#""TimeToLive":10"#), "{headers:?}");
        assert!(headers["brokerproperties"].contains(r#""PartitionKey":"other""#), "{headers:?}");
        let text = refusal(&wire, &named("Bad"));
        assert!(text.starts_with("service bus driver cannot send `Bad`: the property `no name` must"), "{text}");
    }

    #[test]
    fn what_cannot_be_sent_is_fatal() {
        let mut wire = wire();
        let body = |body: &[u8]| OutboundMessage::new(Uuid::from_u128(1), MessageType::Ecst, "Changed", body);
        assert!(wire.request(&body(b"12345678")).is_ok() && wire.request(&body(b"")).is_ok());
        assert!(refusal(&wire, &body(b"123456789")).ends_with("its body has 9 bytes, and 8 is the limit"));
        assert!(refusal(&wire, &body(b"\xff")).contains("its body is not a text"));
        assert!(refusal(&wire, &message().with_key("k".repeat(129))).contains("1 to 128 characters"));
        assert!(refusal(&wire, &message().with_topic("a b")).contains("`a b`"));
        wire.sessions = true;
        assert!(refusal(&wire, &message()).ends_with("the topic or queue has sessions, and the message has no key"));
        assert!(wire.request(&message().with_key("7")).is_ok());
    }

    #[test]
    fn a_traceparent_that_is_no_header_is_left_out() {
        assert!(!sent(&wire(), &message().with_traceparent("a\r\nauthorization: b")).contains_key("traceparent"));
    }
}
