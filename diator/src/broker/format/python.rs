//! `{ message_type, message_name, message_id, payload }`: what the Python library diator 0.1.2 writes.

use serde_json::{Error, Value};
use uuid::Uuid;

use super::envelope::{Envelope, require};
use super::fields::{EVENT_ID, EVENT_TIMESTAMP, member};
use super::head::Head;
use crate::broker::{DecodeError, InboundMessage};

pub(super) const MARK: &str = "message_type";

/// Writes up to where the event's own fields belong; two braces close it.
pub(super) fn open(head: &Head<'_>, time: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(b'{');
    member(out, MARK, head.message_type.as_str())?;
    member(out, "message_name", head.name)?;
    member(out, "message_id", &head.id)?;
    out.extend(b",\"payload\":{");
    member(out, EVENT_ID, &head.id)?;
    member(out, EVENT_TIMESTAMP, time)
}

/// The id is the envelope's, also where the payload should name another one.
pub(super) fn decode(mut message: Envelope, id: &dyn Fn() -> Option<Uuid>) -> Result<InboundMessage, DecodeError> {
    let message_type = require(MARK, message.message_type(MARK)?)?;
    let name = require("message_name", message.text("message_name")?)?;
    let id = require("message_id", message.id("message_id")?.or_else(id))?;
    let payload = require("payload", message.take_object("payload")?)?;
    let timestamp = payload.time(EVENT_TIMESTAMP)?;
    let message = InboundMessage::new(message_type, name, id, Value::Object(payload.0));
    Ok(InboundMessage { timestamp, ..message })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use uuid::Uuid;

    use super::super::Format;
    use super::super::decoder::{decode, decode_payload};
    use super::super::tests::{ID, NAME, at, head, text, time};
    use super::*;
    use crate::broker::MessageType;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct UserJoined {
        user_id: u64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Started;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Address {
        street: String,
        geo: (f64, f64),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct UserChanged {
        user_id: u64,
        last_name: String,
        nickname: Option<String>,
        addresses: Vec<Address>,
        labels: BTreeMap<String, u32>,
        active: bool,
        r#ref: Uuid,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Odd {
        zulu: char,
        alpha: String,
        big: u64,
        small: f64,
        tiny: f64,
        whole: f64,
        huge: f64,
        nothing: Option<f64>,
        control: String,
    }

    fn changed() -> UserChanged {
        UserChanged {
            user_id: 987,
            last_name: "Доу \"Ünï\" 🦀/\\".to_owned(),
            nickname: None,
            addresses: vec![Address { street: "Straße 1".to_owned(), geo: (52.5, -13.0) }],
            labels: BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
            active: true,
            r#ref: ID,
        }
    }

    fn odd() -> Odd {
        Odd {
            zulu: 'z',
            alpha: String::new(),
            big: u64::MAX,
            small: 0.1,
            tiny: 1e-7,
            whole: 1e16,
            huge: 1.5e300,
            nothing: None,
            control: "\0\u{8}\t\n\u{c}\r\u{1b}\u{7f}\u{2028}\u{a0}\u{feff}".to_owned(),
        }
    }

    // The five literals were recorded: diator 0.1.2, dataclass-factory 2.16 and orjson 3.13.0 on Python 3.11.

    const JOINED: &str = concat!(
        r#"{"message_type":"notification_event","message_name":"UserJoined","#,
        r#""message_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""payload":{"event_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""event_timestamp":"2026-11-22T22:31:53.997858","user_id":123}}"#,
    );
    const JOINED_ON_THE_SECOND: &str = concat!(
        r#"{"message_type":"notification_event","message_name":"UserJoined","#,
        r#""message_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""payload":{"event_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""event_timestamp":"2026-11-22T22:31:53","user_id":123}}"#,
    );
    const STARTED: &str = concat!(
        r#"{"message_type":"notification_event","message_name":"Started","#,
        r#""message_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""payload":{"event_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""event_timestamp":"2026-11-22T22:31:53.997858"}}"#,
    );
    const CHANGED: &str = concat!(
        r#"{"message_type":"ecst_event","message_name":"UserChanged","#,
        r#""message_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""payload":{"event_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""event_timestamp":"2026-11-22T22:31:53.997858","user_id":987,"last_name":"Доу \"Ünï\" 🦀/\\","#,
        r#""nickname":null,"addresses":[{"street":"Straße 1","geo":[52.5,-13.0]}],"labels":{"a":1,"b":2},"#,
        r#""active":true,"ref":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2"}}"#,
    );
    const ODD: &str = concat!(
        r#"{"message_type":"ecst_event","message_name":"Odd","#,
        r#""message_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""payload":{"event_id":"82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2","#,
        r#""event_timestamp":"2026-11-22T22:31:53.997858","zulu":"z","alpha":"","big":18446744073709551615,"#,
        r#""small":0.1,"tiny":1e-7,"whole":1e+16,"huge":1.5e+300,"nothing":null,"#,
        r#""control":"\u0000\b\t\n\f\r\u001b"#,
        "\u{7f}\u{2028}\u{a0}\u{feff}\"}}",
    );

    fn encoded(name: &'static str, message_type: MessageType, event: &impl Serialize) -> String {
        text(Format::python().encode(&Head { message_type, ..head(name) }, event))
    }

    #[test]
    fn what_we_write_is_what_python_writes() {
        let notification = MessageType::Notification;
        assert_eq!(encoded("UserJoined", notification, &UserJoined { user_id: 123 }), JOINED);
        assert_eq!(encoded("Started", notification, &Started), STARTED);
        assert_eq!(encoded("UserChanged", MessageType::Ecst, &changed()), CHANGED);
        assert_eq!(encoded("Odd", MessageType::Ecst, &odd()), ODD);
    }

    #[test]
    fn a_time_on_the_second_has_no_fraction() {
        let head = Head { timestamp: at(0), ..head("UserJoined") };
        assert_eq!(text(Format::python().encode(&head, &UserJoined { user_id: 123 })), JOINED_ON_THE_SECOND);
    }

    #[test]
    fn what_python_writes_is_read() {
        let message = decode(CHANGED.as_bytes()).expect("python wrote it");
        assert_eq!((message.message_type, message.name.as_str(), message.id), (MessageType::Ecst, "UserChanged", ID));
        assert_eq!(message.timestamp, Some(time()));
        assert_eq!((message.correlation_id, message.causation_id, message.traceparent), (None, None, None));
        assert_eq!(message.payload["event_id"], json!(ID));
        assert_eq!(decode_payload::<UserChanged>(message.payload).expect("the types fit"), changed());

        let odd_message = decode(ODD.as_bytes()).expect("python wrote it");
        let read: Odd = decode_payload(odd_message.payload).expect("the types fit");
        assert_eq!(read, odd());
        let started = decode(STARTED.as_bytes()).expect("python wrote it");
        assert_eq!(decode_payload::<Started>(started.payload).expect("the types fit"), Started);
    }

    fn read_with(field: &str, value: Value) -> Result<InboundMessage, DecodeError> {
        let mut message = json!({
            "message_type": "ecst_event", "message_name": NAME, "message_id": ID,
            "payload": {"event_id": ID, "event_timestamp": "2026-11-22T22:31:53.997858"},
        });
        let target = if field == EVENT_TIMESTAMP || field == EVENT_ID { &mut message["payload"] } else { &mut message };
        target[field] = value;
        decode(message.to_string().as_bytes())
    }

    #[test]
    fn every_field_is_checked() {
        let cases = [
            ("message_type", json!("domain"), "`domain`, expected `notification_event` or `ecst_event`"),
            ("message_type", json!(1), "a number, expected `notification_event` or `ecst_event`"),
            ("message_name", json!(""), "``, expected a text that is not empty"),
            ("message_name", json!(["a"]), "an array, expected a text that is not empty"),
            ("message_id", json!("82a0b10e"), "`82a0b10e`, expected a uuid"),
            ("message_id", json!(7), "a number, expected a uuid"),
            ("message_id", json!({}), "an object, expected a uuid"),
            ("payload", json!("{}"), "`{}`, expected an object"),
            ("payload", json!([1]), "an array, expected an object"),
            ("event_timestamp", json!(1e300), "a number, expected a time such as `2026-11-22T22:31:53.997858`"),
            ("event_timestamp", json!("soon"), "`soon`, expected a time such as `2026-11-22T22:31:53.997858`"),
        ];
        for (field, value, why) in cases {
            let error = read_with(field, value).expect_err(why);
            assert_eq!(error.to_string(), format!("message field `{field}` is {why}"));
        }
    }

    #[test]
    fn every_field_but_the_time_is_required() {
        for field in ["message_name", "message_id", "payload"] {
            let error = read_with(field, Value::Null).expect_err(field);
            assert_eq!(error.to_string(), format!("message lacks the field `{field}`"));
        }
        assert!(matches!(read_with("message_type", Value::Null), Err(DecodeError::UnknownFormat)));
        assert_eq!(read_with(EVENT_TIMESTAMP, Value::Null).expect("it is optional").timestamp, None);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        assert_eq!(read_with("version", json!(2)).expect("one field more").id, ID);
        assert_eq!(read_with(EVENT_ID, json!("another")).expect("the envelope's id counts").id, ID);
    }
}
