use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::decoder::decode;
use super::*;
use crate::broker::{DecodeError, Headers, MessageType};

pub(super) const ID: Uuid = Uuid::from_u128(0x82a0_b10e_1b3d_4c3c_9bdd_3934_f8f8_24c2);
pub(super) const NAME: &str = "UserJoined";

/// 22:31:53 on 22 November 2026, and a fraction.
pub(super) fn at(nanoseconds: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_795_386_713, nanoseconds)
}

pub(super) fn time() -> SystemTime {
    at(997_858_000)
}

pub(super) fn head(name: &'static str) -> Head<'static> {
    Head {
        message_type: MessageType::Notification,
        name,
        id: ID,
        timestamp: time(),
        key: None,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        headers: &NONE,
    }
}

static NONE: Headers = Headers::new();

pub(super) fn text(body: Result<Arc<[u8]>, Error>) -> String {
    String::from_utf8(body.expect("it is an event").to_vec()).expect("json is utf-8")
}

/// What follows the envelope's two fields in the payload, comma included.
fn own_fields(event: &impl Serialize) -> String {
    let written = text(Format::python().encode(&head(NAME), event));
    let (_, own) = written.split_once(r#""event_timestamp":"2026-11-22T22:31:53.997858""#).expect("it has a time");
    own.strip_suffix("}}").expect("two objects end").to_owned()
}

fn check<E: Serialize + DeserializeOwned + PartialEq + Debug>(event: &E, fields: &str) {
    let comma = if fields.is_empty() { "" } else { "," };
    assert_eq!(own_fields(event), format!("{comma}{fields}"));
    for format in [Format::python(), Format::cloud_events("/here").expect("it is a uri")] {
        let body = format.encode(&head(NAME), event).expect("it is an event");
        let message = decode(&body).expect("we wrote it");
        assert_eq!((message.id, message.timestamp, message.name.as_str()), (ID, Some(time()), NAME));
        assert_eq!(&decode_payload::<E>(message.payload).expect("it was one"), event);
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Joined {
    user_id: u64,
    name: Option<String>,
}

fn joined() -> Joined {
    Joined { user_id: 1, name: None }
}

#[test]
fn structs_stand_in_the_payload_itself() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Renamed {
        #[serde(rename = "type")]
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        absent: Option<u8>,
        #[serde(flatten)]
        joined: Joined2,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Joined2 {
        zulu: u8,
        alpha: Vec<(u8, char)>,
    }

    check(&joined(), r#""user_id":1,"name":null"#);
    let renamed =
        Renamed { kind: "a \"b\"".to_owned(), absent: None, joined: Joined2 { zulu: 1, alpha: vec![(2, 'ä')] } };
    check(&renamed, r#""type":"a \"b\"","zulu":1,"alpha":[[2,"ä"]]"#);
}

#[test]
fn structs_without_fields_add_nothing() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Started;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Braced {}
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(Started);
    #[derive(Debug, PartialEq, Serialize, Deserialize, Default)]
    #[serde(default)]
    struct Defaulted {
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }

    check(&Started, "");
    check(&Braced {}, "");
    check(&Wrapped(Started), "");
    check(&Defaulted::default(), "");
}

#[test]
fn newtypes_are_what_they_hold() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(Joined);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Transparent {
        inner: Newtype,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Perhaps(Option<Joined>);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Map(BTreeMap<u8, bool>);

    check(&Newtype(joined()), r#""user_id":1,"name":null"#);
    check(&Transparent { inner: Newtype(joined()) }, r#""user_id":1,"name":null"#);
    check(&Perhaps(Some(joined())), r#""user_id":1,"name":null"#);
    check(&Perhaps(None), "");
    check(&Map(BTreeMap::from([(1, true), (2, false)])), r#""1":true,"2":false"#);
    check(&Map(BTreeMap::new()), "");
}

#[test]
fn enums_stand_as_serde_tags_them() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum External {
        Started,
        Joined { user_id: u64, event_id: u8 },
        Wrapped(Joined),
        Count(u8),
        Pair(u8, [u8; 0], String),
        Empty {},
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        Started,
        Joined { user_id: u64 },
        Wrapped(Joined),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        Started,
        Count(u8),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Joined(Joined),
        Other { other: u8 },
        Nothing,
    }

    check(&External::Started, r#""Started":null"#);
    check(&External::Joined { user_id: 1, event_id: 2 }, r#""Joined":{"user_id":1,"event_id":2}"#);
    check(&External::Wrapped(joined()), r#""Wrapped":{"user_id":1,"name":null}"#);
    check(&External::Count(7), r#""Count":7"#);
    check(&External::Pair(7, [], "{".to_owned()), r#""Pair":[7,[],"{"]"#);
    check(&External::Empty {}, r#""Empty":{}"#);
    check(&Internal::Started, r#""type":"Started""#);
    check(&Internal::Joined { user_id: 1 }, r#""type":"Joined","user_id":1"#);
    check(&Adjacent::Started, r#""type":"Started""#);
    check(&Adjacent::Count(7), r#""type":"Count","content":7"#);
    check(&Untagged::Joined(joined()), r#""user_id":1,"name":null"#);
    check(&Untagged::Other { other: 1 }, r#""other":1"#);
    check(&Untagged::Nothing, "");
    let tagged = Internal::Wrapped(joined());
    assert_eq!(own_fields(&tagged), r#","type":"Wrapped","user_id":1,"name":null"#);
}

fn refusal(event: &(impl Serialize + ?Sized)) -> String {
    let [python, cloud] = [Format::python(), Format::cloud_events("/here").expect("it is a uri")].map(|format| {
        let why = format.encode(&head(NAME), event).expect_err("it is no event").to_string();
        why.strip_prefix("event `UserJoined` cannot be written: ").expect("it names the event").to_owned()
    });
    assert_eq!(python, cloud);
    python
}

#[test]
fn what_is_no_object_is_refused() {
    #[derive(Serialize)]
    struct Temperature(f64);
    #[derive(Serialize)]
    struct Pair(u8, u8);
    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(b"bytes")
        }
    }

    let refused = |found: &str| format!("it is {found}, and an event must be an object: give it named fields");
    assert_eq!(refusal(&Temperature(21.5)), refused("a number"));
    assert_eq!(refusal(&i128::MIN), refused("a number"));
    assert_eq!(refusal(&true), refused("a boolean"));
    assert_eq!(refusal("text"), refused("a text"));
    assert_eq!(refusal(&'c'), refused("a text"));
    assert_eq!(refusal(&ID), refused("a text"));
    assert_eq!(refusal(&Pair(1, 2)), refused("an array"));
    assert_eq!(refusal(&(1, 2)), refused("an array"));
    assert_eq!(refusal(&vec![joined()]), refused("an array"));
    assert_eq!(refusal(&Bytes), refused("an array"));
}

#[test]
fn the_envelope_keeps_its_names() {
    #[derive(Serialize)]
    struct OwnId {
        event_id: u8,
    }
    #[derive(Serialize)]
    struct OwnTime {
        first: u8,
        #[serde(rename = "event_timestamp")]
        time: u8,
    }
    #[derive(Serialize)]
    struct Flattened {
        #[serde(flatten)]
        inner: OwnId,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Variants {
        EventId,
        EventTimestamp { a: u8 },
    }

    let refused = |field: &str| format!("its field `{field}` has the name of a field that the envelope adds");
    assert_eq!(refusal(&OwnId { event_id: 1 }), refused("event_id"));
    assert_eq!(refusal(&OwnTime { first: 1, time: 2 }), refused("event_timestamp"));
    assert_eq!(refusal(&Flattened { inner: OwnId { event_id: 1 } }), refused("event_id"));
    assert_eq!(refusal(&BTreeMap::from([("event_id", 1)])), refused("event_id"));
    assert_eq!(refusal(&Variants::EventId), refused("event_id"));
    assert_eq!(refusal(&Variants::EventTimestamp { a: 1 }), refused("event_timestamp"));
}

#[test]
fn an_error_of_the_event_is_passed_on() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it broke"))
        }
    }

    assert_eq!(refusal(&Broken), "it broke");
    assert_eq!(refusal(&BTreeMap::from([("broken", Broken)])), "its field `broken`: it broke");
    assert_eq!(refusal(&BTreeMap::from([((1, 2), 3)])), "key must be a string");
}

#[test]
fn a_time_that_cannot_be_written_is_an_error() {
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(400_000_000_000);
    let error = Format::python().encode(&Head { timestamp: far, ..head(NAME) }, &joined()).expect_err("it is too far");
    let text = "event `UserJoined` cannot be written: its time lies outside the years 0 to 9999";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_message_has_what_its_head_has() {
    let head = Head { key: Some("k"), correlation_id: Some(ID), traceparent: Some("t"), ..head(NAME) };
    let message = Format::cloud_events("/here").expect("it is a uri").message(&head, *b"{}");
    let expected = OutboundMessage::new(ID, MessageType::Notification, NAME, *b"{}")
        .with_key("k")
        .with_correlation_id(ID)
        .with_traceparent("t")
        .with_content_type("application/cloudevents+json");
    assert_eq!(message, expected);
}

#[test]
fn an_unfit_payload_says_why() {
    let error = decode_payload::<Joined>(json!({"event_id": ID, "user_id": "one"})).expect_err("it is a text");
    assert_eq!(error.to_string(), "message payload does not fit the event");
    let source = error.source().expect("serde knows more").to_string();
    assert!(source.starts_with("invalid type: string \"one\", expected u64"), "{source}");

    let source =
        |payload| decode_payload::<Joined>(payload).expect_err("it does not fit").source().map(ToString::to_string);
    assert_eq!(source(json!({})).as_deref(), Some("missing field `user_id`"));
    assert!(source(json!({"user_id": 1, "more": 2})).expect("serde knows more").starts_with("unknown field `more`"));
    for payload in [json!(null), json!([]), json!("x"), json!(1)] {
        assert!(matches!(decode_payload::<Joined>(payload), Err(DecodeError::Invalid { field: "payload", .. })));
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let why = |body: &[u8]| decode(body).expect_err("it is no message").to_string();
    for body in [&b""[..], b" ", b"{", b"\xff\xfe", b"nul", b"{} {}", b"\xef\xbb\xbf{}"] {
        assert_eq!(why(body), "message is not json");
    }
    assert!(matches!(decode(b"{"), Err(error @ DecodeError::Json(_)) if error.source().is_some()));
    assert_eq!(why(b"null"), "message is null, expected an object");
    assert_eq!(why(b"[{}]"), "message is an array, expected an object");
    assert_eq!(why(b"\"{}\""), "message is `{}`, expected an object");
    assert_eq!(why(b"{}"), "message has neither `message_type` nor `specversion`: its format is unknown");
}

#[test]
fn hostile_input_is_an_error_and_no_panic() {
    let nested = |depth: usize| {
        let payload = format!("{}{}", r#"{"a":"#.repeat(depth), "1}".to_owned() + &"}".repeat(depth - 1));
        format!(r#"{{"message_type":"ecst_event","message_name":"A","message_id":"{ID}","payload":{payload}}}"#)
    };
    assert!(decode(nested(120).as_bytes()).is_ok());
    for depth in [128, 100_000] {
        assert!(matches!(decode(nested(depth).as_bytes()), Err(DecodeError::Json(_))));
        assert!(matches!(decode("[".repeat(depth).as_bytes()), Err(DecodeError::Json(_))));
    }
    let huge = format!(r#"{{"message_type":"{}"}}"#, "x".repeat(1_000_000));
    assert!(decode(huge.as_bytes()).expect_err("unknown type").to_string().len() < 200);
    assert!(decode(br#"{"message_type":1e999}"#).is_err());
    let number = format!(r#"{{"user_id":{}}}"#, "9".repeat(300));
    let payload: Value = serde_json::from_str(&number).expect("it is json");
    assert!(matches!(decode_payload::<Joined>(payload), Err(DecodeError::Payload(_))));
}

#[test]
fn truncated_messages_are_errors_and_no_panic() {
    let cloud = Format::cloud_events("/here").expect("it is a uri");
    for format in [Format::python(), cloud] {
        let body = format.encode(&head(NAME), &joined()).expect("it is an event");
        for end in 0..body.len() {
            assert!(matches!(decode(&body[..end]), Err(DecodeError::Json(_))));
        }
        for at in 0..body.len() {
            let mut body = body.to_vec();
            body[at] ^= 0x15;
            let _ = decode(&body).map(|message| decode_payload::<Joined>(message.payload));
        }
    }
}

#[test]
fn a_name_that_would_be_written_twice_is_refused() {
    #[derive(Serialize)]
    struct Flattened {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    #[derive(Serialize)]
    struct Renamed {
        #[serde(rename = "id")]
        first: u8,
        id: u8,
    }
    #[derive(Serialize)]
    struct Typed {
        r#type: u8,
    }
    #[derive(Serialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Moved(Typed),
    }
    #[derive(Serialize)]
    struct Within<T> {
        inner: T,
    }
    #[derive(Serialize)]
    enum Variant {
        Content {
            #[serde(rename = "a")]
            first: u8,
            a: u8,
        },
    }
    struct Pairs(Vec<(&'static str, u8)>);
    impl Serialize for Pairs {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().copied())
        }
    }

    let flattened = || Flattened { id: 1, rest: BTreeMap::from([("id".to_owned(), json!(2))]) };
    let twice = |name: &str| format!("it would have the field `{name}` twice");
    assert_eq!(refusal(&flattened()), twice("id"));
    assert_eq!(refusal(&Renamed { first: 1, id: 2 }), twice("id"));
    assert_eq!(refusal(&Tagged::Moved(Typed { r#type: 1 })), twice("type"));
    assert_eq!(refusal(&Pairs(vec![("a", 1), ("b", 2), ("a", 3)])), twice("a"));
    assert_eq!(refusal(&Within { inner: flattened() }), format!("its field `inner`: {}", twice("id")));
    assert_eq!(refusal(&Within { inner: [flattened()] }), format!("its field `inner[0]`: {}", twice("id")));
    assert_eq!(
        refusal(&Within { inner: Variant::Content { first: 1, a: 2 } }),
        format!("its field `inner`: {}", twice("a"))
    );
    assert_eq!(refusal(&Variant::Content { first: 1, a: 2 }), twice("a"));
    assert_eq!(
        refusal(&BTreeMap::from([("k\n", Pairs(vec![("a", 1), ("a", 2)]))])),
        format!("its field `k\\n`: {}", twice("a"))
    );
}

#[test]
fn what_could_not_be_read_back_is_refused_with_its_field() {
    #[derive(Serialize)]
    struct Measured<T> {
        values: Vec<T>,
    }
    #[derive(Serialize)]
    struct Numbered {
        id: u8,
        #[serde(flatten)]
        by_number: BTreeMap<u32, u8>,
    }
    #[derive(Serialize)]
    enum Reading {
        At(f64),
        Pair(u8, f64),
        Named { value: f32 },
    }

    let number = "it is not a finite number, and json has no other";
    assert_eq!(refusal(&Measured { values: vec![1.0, f64::NAN] }), format!("its field `values[1]`: {number}"));
    assert_eq!(refusal(&Measured { values: vec![Some(f32::INFINITY)] }), format!("its field `values[0]`: {number}"));
    assert_eq!(refusal(&Reading::At(f64::NEG_INFINITY)), format!("its field `At`: {number}"));
    assert_eq!(refusal(&Reading::Pair(1, f64::NAN)), format!("its field `Pair[1]`: {number}"));
    assert_eq!(refusal(&Reading::Named { value: f32::NAN }), format!("its field `Named.value`: {number}"));
    assert_eq!(
        refusal(&Measured { values: vec![Reading::At(f64::NAN)] }),
        format!("its field `values[0].At`: {number}")
    );

    let whole = "it is a whole number beyond 64 bits, and could not be read back";
    assert_eq!(
        refusal(&Measured { values: vec![u128::from(u64::MAX) + 1] }),
        format!("its field `values[0]`: {whole}")
    );
    assert_eq!(
        refusal(&Measured { values: vec![i128::from(i64::MIN) - 1] }),
        format!("its field `values[0]`: {whole}")
    );
    let fitting = Measured { values: vec![u128::from(u64::MAX)] };
    assert!(Format::python().encode(&head(NAME), &fitting).is_ok());

    let keys = "its key `1` is not a text: a flattened map with other keys could not be read back";
    let numbered = || Numbered { id: 1, by_number: BTreeMap::from([(1, 2)]) };
    assert_eq!(refusal(&numbered()), keys);
    assert_eq!(refusal(&Measured { values: vec![numbered()] }), format!("its field `values[0]`: {keys}"));
}

#[test]
fn what_lies_too_deep_is_refused_and_what_does_not_can_be_read() {
    /// So many arrays in each other.
    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }
    let event = |levels| BTreeMap::from([("deep", nested(levels))]);
    for format in [Format::python(), Format::cloud_events("/here").expect("it is a uri")] {
        let body = format.encode(&head(NAME), &event(125)).expect("it can be read");
        let read = decode(&body).expect("it was written");
        assert_eq!(decode_payload::<BTreeMap<String, Value>>(read.payload).expect("it fits")["deep"], nested(125));
    }
    let refused = refusal(&event(126));
    assert!(
        refused.ends_with("it lies more than 127 objects and arrays deep, and could not be read back"),
        "{refused}"
    );
    assert!(refused.starts_with("its field `deep[0][0]"), "{refused}");
}

#[test]
fn a_payload_with_a_repeated_field_is_refused() {
    let body = |payload: &str| {
        format!(r#"{{"message_type":"ecst_event","message_name":"A","message_id":"{ID}","payload":{payload}}}"#)
    };
    let why = |payload: &str| decode(body(payload).as_bytes()).expect_err(payload).to_string();
    assert_eq!(why(r#"{"id":1,"id":2}"#), "message has the field `payload.id` twice");
    assert_eq!(why(r#"{"lines":[{"a":1,"a":1}]}"#), "message has the field `payload.lines.a` twice");
    let twice = format!(r#"{{"message_id":"{ID}",{}"#, &body("{}")[1..]);
    assert_eq!(decode(twice.as_bytes()).expect_err("two ids").to_string(), "message has the field `message_id` twice");
}
