use uuid::Uuid;

use super::*;
use diator::broker::{MessageType, PublishErrorKind};

const ID: Uuid = Uuid::from_u128(0x82a0_b10e_1b3d_4c3c_9bdd_3934_f8f8_24c2);

fn pub_sub(prefix: &str) -> Wire {
    PubSub { prefix: prefix.to_owned(), buffer: 1 }.into()
}

fn streams(max_len: Option<usize>, durable: bool) -> Wire {
    let (default, lock) = ("diator:events".to_owned(), Duration::from_secs(30));
    let trim = max_len.map_or(Trim::Never, Trim::MaxLen);
    Streams { default, trim, durable, lock, partitions: None, replicas: 0 }.into()
}

fn message() -> OutboundMessage {
    OutboundMessage::new(ID, MessageType::Notification, "UserJoined", *b"{\r\n\0\xff}")
}

/// The arguments of a command, as the server gets them.
fn arguments(wire: &Wire, message: &OutboundMessage) -> Vec<Vec<u8>> {
    let command = wire.command(message).expect("it can be sent");
    let packed = command.get_packed_command();
    let Ok(Value::Array(parts)) = redis::parse_redis_value(&packed) else { panic!("it is no command") };
    parts.into_iter().map(|part| if let Value::BulkString(bytes) = part { bytes } else { panic!("{part:?}") }).collect()
}

fn texts(wire: &Wire, message: &OutboundMessage) -> Vec<String> {
    arguments(wire, message).iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

#[test]
fn the_channel_is_that_of_the_python_library() {
    let parts = arguments(&pub_sub("python_diator_channel"), &message());
    assert_eq!(parts[0], b"PUBLISH");
    assert_eq!(parts[1], b"python_diator_channel:notification_event:82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2");
    assert_eq!((&*parts[2], parts.len()), (&*message().body, 3));
}

#[test]
fn a_topic_takes_the_place_of_prefix_or_stream() {
    let message = message().with_topic("orders");
    assert!(texts(&pub_sub("shop"), &message)[1].starts_with("orders:notification_event:82a0b10e"));
    assert_eq!(texts(&streams(None, false), &message)[..3], ["XADD", "orders", "*"]);
}

#[test]
fn a_bare_message_has_the_fields_that_every_message_has() {
    let parts = texts(&streams(Some(1000), false), &message());
    let expected = ["XADD", "diator:events", "MAXLEN", "~", "1000", "*", "id", "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2"];
    assert_eq!(parts[..8], expected);
    let expected = ["type", "notification_event", "name", "UserJoined", "content_type", "application/json", "body"];
    assert_eq!((&parts[8..15], parts.len()), (&expected.map(str::to_owned)[..], 16));
    assert_eq!(arguments(&streams(None, false), &message()).last(), Some(&message().body.to_vec()));
}

#[test]
fn everything_a_message_carries_is_kept() {
    let full = message()
        .with_key("Zürich\n")
        .with_correlation_id(ID)
        .with_causation_id(Uuid::from_u128(1))
        .with_traceparent("00-a-b-01")
        .with_content_type("text/plain");
    let parts = texts(&streams(None, false), &full);
    let fields: Vec<_> = parts[3..].chunks(2).map(|pair| (&*pair[0], &*pair[1])).collect();
    let id = ID.to_string();
    for field in [
        ("content_type", "text/plain"),
        ("correlation_id", &*id),
        ("causation_id", "00000000-0000-0000-0000-000000000001"),
        ("key", "Zürich\n"),
        ("traceparent", "00-a-b-01"),
    ] {
        assert!(fields.contains(&field), "{field:?} in {fields:?}");
    }
    assert_eq!(fields.len(), 9);
}

#[test]
fn names_are_checked() {
    for name in ["a", "a:b", "{tag}:a", "ümlaut", &"a".repeat(512)] {
        assert_eq!(problem_of_name(name), None);
    }
    for name in ["", " ", "a b", "a\nb", "a\u{0}", "a\u{a0}b", "a*", "?", "[a]", "a\\", &"a".repeat(513)] {
        assert!(problem_of_name(name).is_some(), "{name:?}");
    }
}

#[test]
fn a_topic_that_cannot_be_is_refused_by_build_and_by_publish() {
    let event = EventRoute::new(MessageType::Ecst, "A").with_topic("a*");
    for wire in [pub_sub("shop"), streams(None, false)] {
        assert!(wire.accepts(&EventRoute::new(MessageType::Ecst, "A").with_topic("a")).is_ok());
        assert!(wire.accepts(&event).is_err_and(|refusal| refusal.to_string().contains("its topic must have none")));
        let error = wire.command(&message().with_topic("a*")).expect_err("it is refused");
        assert_eq!(error.kind(), PublishErrorKind::Fatal);
    }
}

#[test]
fn a_receipt_says_no_more_than_is_known() {
    let id = || Value::BulkString(b"1-0".to_vec());
    let receipt = |wire: &Wire, reply| wire.receipt(reply).map_err(|error| error.kind());
    assert_eq!(receipt(&pub_sub("a"), Value::Int(0)), Ok(Receipt::Sent));
    assert_eq!(receipt(&streams(None, false), id()), Ok(Receipt::Accepted));
    let persisted = Receipt::Persisted { position: "1-0".to_owned() };
    assert_eq!(receipt(&streams(None, true), id()), Ok(persisted));
    for (wire, reply) in [
        (pub_sub("a"), Value::Okay),
        (pub_sub("a"), Value::Nil),
        (streams(None, true), Value::Int(1)),
        (streams(None, true), Value::BulkString(vec![0xff])),
    ] {
        assert_eq!(receipt(&wire, reply), Err(PublishErrorKind::Ambiguous));
    }
}

#[test]
fn only_what_is_said_to_be_durable_promises_it() {
    assert!(!pub_sub("a").guarantees().confirmed && !pub_sub("a").guarantees().retained);
    assert!(!streams(None, false).guarantees().durable && streams(None, false).guarantees().retained);
    assert!(streams(None, true).guarantees().durable);
}
