//! `CloudEvents` 1.0 in structured mode: one JSON object, <https://github.com/cloudevents/spec>.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Error, Map, Value};
use uuid::Uuid;

use super::envelope::{Envelope, require};
use super::fields::member;
use super::head::Head;
use crate::InvalidConfig;
use crate::broker::message::JSON;
use crate::broker::{DecodeError, Headers, InboundMessage, is_header_name};
use crate::meta::is_traceparent;

pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";
pub(super) const MARK: &str = "specversion";
const VERSION: &str = "1.0";

pub(super) fn check_source(source: &str) -> Result<(), InvalidConfig> {
    let fine = !source.is_empty() && has_uri_characters(source) && has_scheme_or_none(source);
    let problem = (!fine).then(|| format!("`{}` is not a uri reference", source.escape_debug()));
    InvalidConfig::check("source of cloud events", problem)
}

fn has_uri_characters(source: &str) -> bool {
    const MARKS: &[u8] = b"-._~:/?#[]@!$&'()*+,;=%";
    let escaped = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    source.bytes().all(|byte| byte.is_ascii_alphanumeric() || MARKS.contains(&byte))
        && source.split('%').skip(1).all(escaped)
        && source.matches('#').count() <= 1
}

/// A colon before the first slash ends a scheme.
fn has_scheme_or_none(source: &str) -> bool {
    let first = source.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((scheme, _)) = first.split_once(':') else { return true };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Writes up to where the event's own fields belong; two braces close it.
pub(super) fn open(source: &str, head: &Head<'_>, time: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(b'{');
    member(out, MARK, VERSION)?;
    member(out, "id", &head.id)?;
    member(out, "source", source)?;
    member(out, "type", head.name)?;
    member(out, "time", &format_args!("{time}Z"))?;
    member(out, "datacontenttype", JSON)?;
    optional(out, "subject", head.key.filter(|key| !key.is_empty()))?;
    member(out, "messagetype", head.message_type.as_str())?;
    optional(out, "correlationid", head.correlation_id)?;
    optional(out, "causationid", head.causation_id)?;
    optional(out, "traceparent", head.traceparent)?;
    head.headers.iter().try_for_each(|(name, value)| member(out, name, value))?;
    out.extend(b",\"data\":{");
    Ok(())
}

fn optional<T: Serialize>(out: &mut Vec<u8>, name: &str, value: Option<T>) -> Result<(), Error> {
    value.map_or(Ok(()), |value| member(out, name, &value))
}

pub(super) fn decode(event: Envelope, id: &dyn Fn() -> Option<Uuid>) -> Result<InboundMessage, DecodeError> {
    require(MARK, event.read(MARK, "`1.0`", |version| (version == VERSION).then_some(()))?)?;
    let id = require("id", event.id("id")?.or_else(id))?;
    let name = require("type", event.text("type")?)?;
    let message_type = require("messagetype", event.message_type("messagetype")?)?;
    let timestamp = event.time("time")?;
    let correlation_id = event.id("correlationid")?;
    let causation_id = event.id("causationid")?;
    let traceparent = event.get("traceparent").and_then(trace);
    let headers = headers(&event);
    let message = InboundMessage::new(message_type, name, id, data(event)?);
    Ok(InboundMessage { timestamp, correlation_id, causation_id, traceparent, headers, ..message })
}

/// The extension attributes that this library gives no meaning to.
fn headers(event: &Envelope) -> Headers {
    let own = event.0.iter().filter(|(name, _)| is_header_name(name));
    let own = own.filter(|(_, value)| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)));
    own.fold(Headers::new(), |headers, (name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.with(name.clone(), text)
    })
}

/// An event without fields may come without data.
fn data(mut event: Envelope) -> Result<Value, DecodeError> {
    event.read("datacontenttype", "a json type", |media_type| is_json(media_type).then_some(()))?;
    if let Some(found) = event.get("data_base64") {
        return Err(DecodeError::invalid("data_base64", found, "json in `data` instead"));
    }
    Ok(Value::Object(event.take_object("data")?.map_or_else(Map::new, |data| data.0)))
}

pub(super) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some((kind, form)) => {
            !kind.is_empty() && (form == "json" || form.len() > "+json".len() && form.ends_with("+json"))
        }
        None => false,
    }
}

/// A malformed `traceparent` is passed over, as W3C Trace Context asks: it must not cost the message.
fn trace(value: &Value) -> Option<Arc<str>> {
    value.as_str().filter(|text| is_traceparent(text)).map(Into::into)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use uuid::Uuid;

    use super::super::Format;
    use super::super::decoder::{decode, decode_payload};
    use super::super::tests::{ID, NAME, at, head, text, time};
    use super::*;
    use crate::broker::MessageType;

    const OTHER: Uuid = Uuid::from_u128(0x0192_a0b1_0e1b_7d4c_8c9b_dd39_34f8_f824);
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct UserJoined {
        user_id: u64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Started;

    fn format() -> Format {
        Format::cloud_events("https://example.com/meetings").expect("it is a uri")
    }

    #[test]
    fn the_least_that_is_written() {
        let written = text(format().encode(&head(NAME), &UserJoined { user_id: 123 }));
        let expected = concat!(
            r#"{"specversion":"1.0","id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
            r#""source":"https://example.com/meetings","type":"UserJoined","#,
            r#""time":"2026-11-22T22:31:53.997858Z","datacontenttype":"application/json","#,
            r#""messagetype":"notification_event","data":{"user_id":123}}"#,
        );
        assert_eq!(written, expected);
    }

    #[test]
    fn the_most_that_is_written() {
        let head = Head {
            message_type: MessageType::Ecst,
            timestamp: at(0),
            key: Some("Zürich"),
            correlation_id: Some(OTHER),
            causation_id: Some(ID),
            traceparent: Some(TRACE),
            ..head("Started")
        };
        let expected = concat!(
            r#"{"specversion":"1.0","id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
            r#""source":"https://example.com/meetings","type":"Started","#,
            r#""time":"2026-11-22T22:31:53Z","datacontenttype":"application/json","subject":"Zürich","#,
            r#""messagetype":"ecst_event","correlationid":"0192a0b1-0e1b-7d4c-8c9b-dd3934f8f824","#,
            r#""causationid":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
            r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data":{}}"#,
        );
        let body = format().encode(&head, &Started).expect("it is an event");
        assert_eq!(std::str::from_utf8(&body), Ok(expected));

        let message = decode(&body).expect("we wrote it");
        assert_eq!((message.message_type, message.name.as_str(), message.id), (MessageType::Ecst, "Started", ID));
        assert_eq!((message.correlation_id, message.causation_id), (Some(OTHER), Some(ID)));
        assert_eq!((message.timestamp, message.traceparent.as_deref()), (Some(at(0)), Some(TRACE)));
        assert_eq!(decode_payload::<Started>(message.payload).expect("the types fit"), Started);
    }

    #[test]
    fn an_empty_key_is_no_subject() {
        let written = text(format().encode(&Head { key: Some(""), ..head(NAME) }, &Started));
        assert!(!written.contains("subject"), "{written}");
    }

    #[test]
    fn a_source_is_a_uri_reference() {
        for source in
            ["https://example.com/a?b=c#d", "urn:uuid:82a0", "/meetings", "meetings", "a/b:c", "//h:80", "%20"]
        {
            assert!(check_source(source).is_ok(), "{source}");
        }
        for source in ["", " ", "a b", "http://exa mple", "ümlaut", "a\nb", "<x>", "%2", "%zz", "a#b#c", "1a:b", ":b"]
        {
            assert!(check_source(source).is_err(), "{source}");
        }
        let error = Format::cloud_events("a\nb").expect_err("a line break");
        assert_eq!(error.to_string(), r"source of cloud events is invalid: `a\nb` is not a uri reference");
    }

    fn read_with(field: &str, value: Value) -> Result<InboundMessage, DecodeError> {
        let mut event = json!({
            "specversion": "1.0", "id": ID, "source": "/elsewhere", "type": NAME, "messagetype": "notification_event",
            "time": "2026-11-23T00:31:53.997858+02:00", "data": {"user_id": 123},
        });
        event[field] = value;
        decode(event.to_string().as_bytes())
    }

    #[test]
    fn what_others_write_is_read() {
        let message = read_with("comexampleextension", json!(true)).expect("one field more");
        assert_eq!(message.timestamp, Some(time()));
        assert_eq!(message.payload, json!({"user_id": 123}));
        for media_type in ["application/json", "application/json; charset=utf-8", "text/json", "application/x+JSON"] {
            assert!(read_with("datacontenttype", json!(media_type)).is_ok(), "{media_type}");
        }
        assert_eq!(read_with("data", Value::Null).expect("no data").payload, json!({}));
        assert_eq!(read_with("time", Value::Null).expect("no time").timestamp, None);
    }

    #[test]
    fn every_attribute_is_checked() {
        let cases = [
            ("specversion", json!("0.3"), "`0.3`, expected `1.0`"),
            ("specversion", json!(1.0), "a number, expected `1.0`"),
            ("id", json!("A234-1234-1234"), "`A234-1234-1234`, expected a uuid"),
            ("type", json!(""), "``, expected a text that is not empty"),
            ("messagetype", json!("x"), "`x`, expected `notification_event` or `ecst_event`"),
            ("time", json!("x"), "`x`, expected a time such as `2026-11-22T22:31:53.997858`"),
            ("correlationid", json!(1), "a number, expected a uuid"),
            ("causationid", json!("x"), "`x`, expected a uuid"),
            ("datacontenttype", json!("text/xml"), "`text/xml`, expected a json type"),
            ("data_base64", json!("e30="), "`e30=`, expected json in `data` instead"),
            ("data", json!("text"), "`text`, expected an object"),
        ];
        for (field, value, why) in cases {
            let error = read_with(field, value).expect_err(why);
            assert_eq!(error.to_string(), format!("message field `{field}` is {why}"));
        }
        for field in ["id", "type", "messagetype"] {
            let error = read_with(field, Value::Null).expect_err(field);
            assert_eq!(error.to_string(), format!("message lacks the field `{field}`"));
        }
    }

    #[test]
    fn a_malformed_trace_does_not_cost_the_message() {
        let long = format!("{TRACE}-{}", "0".repeat(300));
        let upper = TRACE.to_uppercase();
        for trace in ["", "x", "00-12-34-01", &long, &upper, &TRACE[..52], &format!("{TRACE}\r\nx: y")] {
            assert_eq!(read_with("traceparent", json!(trace)).expect("the rest is right").traceparent, None, "{trace}");
        }
        assert_eq!(read_with("traceparent", json!(5)).expect("the rest is right").traceparent, None);
        let later = format!("01{}-00ff", &TRACE[2..]);
        let message = read_with("traceparent", json!(later)).expect("a later version");
        assert_eq!(message.traceparent.as_deref(), Some(later.as_str()));
    }
}
