use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::envelope::Envelope;
use super::fields::{EVENT_ID, EVENT_TIMESTAMP};
use super::{cloud_events, python, strict};
use crate::broker::{DecodeError, Headers, InboundMessage, OutboundMessage, is_header_name};
use crate::meta::is_traceparent;
use crate::shown::{self, ForeignError};

/// Reads a message that a broker delivers, from its body, content type and headers.
///
/// [`InboundMessage::decode`] reads with the defaults.
///
/// # Guarantees
///
/// - It reads both [`Format`](super::Format)s, and tells them apart by their fields.
/// - It never panics, whatever arrives. An object or array may lie at most 127 levels deep.
/// - The headers `correlation_id`, `causation_id` (or `correlationid`, `causationid`) and `traceparent`, as the drivers
///   of this library write them, fill in what the body does not say. A header with a name that [`Headers`] allow is
///   kept, unless it is there twice; every other header is ignored.
/// - A `traceparent` that W3C does not describe is left out, because it must not cost the message.
///
/// # Units
///
/// `max_body` counts bytes; 1 MiB by default. A larger body is refused before it is read, because a small machine reads
/// 64 MiB of numbers for many seconds.
///
/// # Example
///
/// ```
/// use diator::broker::{DecodeError, Decoder};
///
/// let decoder = Decoder::new().max_body(10);
/// let error = decoder.decode(b"more than ten bytes", None, []).unwrap_err();
/// assert!(matches!(error, DecodeError::TooLarge { bytes: 19, limit: 10 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoder {
    max_body: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Reads bodies of up to 1 MiB.
    #[must_use]
    pub const fn new() -> Self {
        Self { max_body: 1 << 20 }
    }

    /// Limits the body, in bytes.
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Reads one message.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], whose variants tell what is wrong with which field; [`DecodeError::Payload`] is not among them, because
    /// the event itself is not read here.
    pub fn decode<'h>(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Result<InboundMessage, DecodeError> {
        self.decode_named(body, content_type, headers, &|| None)
    }

    /// As [`decode`](Self::decode); a message that has no id gets this one.
    fn decode_named<'h>(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        id: &dyn Fn() -> Option<Uuid>,
    ) -> Result<InboundMessage, DecodeError> {
        if body.len() > self.max_body {
            return Err(DecodeError::TooLarge { bytes: body.len(), limit: self.max_body });
        }
        if let Some(other) = content_type.filter(|content_type| !cloud_events::is_json(content_type)) {
            return Err(DecodeError::invalid("content_type", &other.into(), "a json type"));
        }
        let mut message = decode_any(body, id)?;
        let mut given = Headers::new();
        for (name, value) in headers {
            if is_header_name(name) {
                if given.get(name).is_some() {
                    return Err(DecodeError::Repeated { field: shown::name(name) });
                }
                given.insert(name.to_owned(), value);
            } else {
                message.fill(name, value)?;
            }
        }
        message.headers.fill(given);
        Ok(message)
    }
}

impl InboundMessage {
    /// Reads a message as a broker delivers it, with a [`Decoder`] that has its defaults.
    ///
    /// # Errors
    ///
    /// Those of [`Decoder::decode`].
    pub fn decode<'h>(
        body: &[u8],
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Result<Self, DecodeError> {
        Decoder::new().decode(body, content_type, headers)
    }

    /// As [`decode`](Self::decode); a message that has no id gets this one.
    pub(crate) fn decode_named<'h>(
        body: &[u8],
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        id: &dyn Fn() -> Option<Uuid>,
    ) -> Result<Self, DecodeError> {
        Decoder::new().decode_named(body, content_type, headers, id)
    }

    /// Takes what every message has from its header, where the body has not said it already.
    fn fill(&mut self, name: &str, value: &str) -> Result<(), DecodeError> {
        match name {
            "correlation_id" | "correlationid" if self.correlation_id.is_none() => {
                self.correlation_id = Some(id("correlation_id", value)?);
            }
            "causation_id" | "causationid" if self.causation_id.is_none() => {
                self.causation_id = Some(id("causation_id", value)?);
            }
            "traceparent" if self.traceparent.is_none() => {
                self.traceparent = is_traceparent(value).then(|| Arc::from(value));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Reads back what was published, as if a broker had carried it with its properties; it has no limit of size.
impl TryFrom<&OutboundMessage> for InboundMessage {
    type Error = DecodeError;

    fn try_from(sent: &OutboundMessage) -> Result<Self, DecodeError> {
        let mut message =
            Decoder::new().max_body(usize::MAX).decode(&sent.body, Some(&sent.content_type), sent.headers.iter())?;
        message.correlation_id = message.correlation_id.or(sent.correlation_id);
        message.causation_id = message.causation_id.or(sent.causation_id);
        message.traceparent = message.traceparent.or_else(|| sent.traceparent.clone());
        Ok(message)
    }
}

fn id(header: &'static str, value: &str) -> Result<Uuid, DecodeError> {
    Uuid::try_parse(value).map_err(|_| DecodeError::invalid(header, &value.into(), "a uuid"))
}

#[cfg(test)]
pub(super) fn decode(body: &[u8]) -> Result<InboundMessage, DecodeError> {
    decode_any(body, &|| None)
}

/// Reads a message in whichever format it has; its event stays JSON.
fn decode_any(body: &[u8], id: &dyn Fn() -> Option<Uuid>) -> Result<InboundMessage, DecodeError> {
    let message = match strict::from_slice(body)? {
        Value::Object(fields) => Envelope(fields),
        other => return Err(DecodeError::not_an_object(&other)),
    };
    if message.has(cloud_events::MARK) {
        cloud_events::decode(message, id)
    } else if message.has(python::MARK) {
        python::decode(message, id)
    } else {
        Err(DecodeError::UnknownFormat)
    }
}

/// Reads an event from the payload of a message in either format.
pub(crate) fn decode_payload<E: DeserializeOwned>(mut payload: Value) -> Result<E, DecodeError> {
    let is_empty = strip_envelope(&mut payload)?;
    match E::deserialize(payload) {
        // Without fields there is no telling `struct Started;` from `struct Started {}`: one of them fits.
        Err(why) if is_empty => E::deserialize(Value::Null).map_err(|_| DecodeError::Payload(ForeignError::new(why))),
        read => read.map_err(|why| DecodeError::Payload(ForeignError::new(why))),
    }
}

/// Takes away what the envelope added, so that an event may deny unknown fields; says whether nothing is left.
fn strip_envelope(payload: &mut Value) -> Result<bool, DecodeError> {
    match payload {
        Value::Object(fields) => {
            fields.retain(|name, _| name != EVENT_ID && name != EVENT_TIMESTAMP);
            Ok(fields.is_empty())
        }
        other => Err(DecodeError::invalid("payload", other, "an object")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::broker::MessageType;

    const OUTER: Uuid = Uuid::from_u128(2);
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn body() -> Vec<u8> {
        let message =
            json!({"message_type": "ecst_event", "message_name": "A", "message_id": Uuid::nil(), "payload": {}});
        message.to_string().into_bytes()
    }

    fn with(headers: &[(&str, &str)]) -> Result<InboundMessage, DecodeError> {
        InboundMessage::decode(&body(), Some("application/json; charset=utf-8"), headers.iter().copied())
    }

    #[test]
    fn headers_fill_what_the_body_does_not_say() {
        let id = OUTER.to_string();
        let all = [("correlation_id", &*id), ("causation_id", &id), ("traceparent", TRACE), ("tenant", "acme")];
        let message = with(&all).expect("it is a message");
        assert_eq!((message.correlation_id, message.causation_id), (Some(OUTER), Some(OUTER)));
        assert_eq!((message.traceparent.as_deref(), message.headers.get("tenant")), (Some(TRACE), Some("acme")));

        let inner = Uuid::from_u128(1);
        let cloud = json!({"specversion": "1.0", "id": inner, "source": "/a", "type": "A", "messagetype": "ecst_event",
            "correlationid": inner, "tenant": "inner"});
        let message = InboundMessage::decode(cloud.to_string().as_bytes(), None, all).expect("it is a message");
        assert_eq!((message.correlation_id, message.causation_id), (Some(inner), Some(OUTER)));
        assert_eq!(message.headers.get("tenant"), Some("inner"));
    }

    #[test]
    fn what_belongs_to_the_broker_is_passed_over() {
        let headers =
            [("id", "x"), ("body", "x"), ("content_type", "x"), ("X-Forwarded-For", "x"), ("traceparent", "x")];
        let message = with(&headers).expect("it is a message");
        assert!(message.headers.is_empty() && message.traceparent.is_none());
    }

    #[test]
    fn a_header_that_is_there_twice_is_refused() {
        let error = with(&[("tenant", "acme"), ("tenant", "other")]).expect_err("nobody knows which is meant");
        assert!(matches!(&error, DecodeError::Repeated { field } if field == "tenant"), "{error:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |headers: &[(&str, &str)]| with(headers).expect_err("it is wrong").to_string();
        assert_eq!(why(&[("correlation_id", "x\n")]), r"message field `correlation_id` is `x\n`, expected a uuid");
        let other = InboundMessage::decode(&body(), Some("text/xml"), []).expect_err("it is wrong");
        assert_eq!(other.to_string(), "message field `content_type` is `text/xml`, expected a json type");
    }

    #[test]
    fn a_body_that_is_too_large_is_not_read() {
        let large = vec![b'['; (1 << 20) + 1];
        let error = InboundMessage::decode(&large, None, []).expect_err("it is too large");
        assert_eq!(error.to_string(), "message has 1048577 bytes, and at most 1048576 are read");
        let read = Decoder::new().max_body(large.len()).decode(&large, None, []);
        assert!(matches!(read, Err(DecodeError::Json(_))));
    }

    fn outbound(body: &str) -> OutboundMessage {
        OutboundMessage::new(Uuid::nil(), MessageType::Ecst, "A", body.as_bytes())
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
