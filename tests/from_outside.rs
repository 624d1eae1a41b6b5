//! What strangers send is shown escaped and shortened, wherever it is shown.

use std::error::Error;
use std::iter;

use diator::broker::{DecodeError, InboundMessage, MessageType};
use diator::prelude::*;
use diator::{Mediator, OutboundMessage, PublishError, ReceiveError, handlers};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// More than an error shows of itself and its source, in bytes: 1,000 characters each, escaped.
const MOST: usize = 30_000;
const FORGED: &str = "Order\n2026-11-28T12:00:00Z ERROR all is lost\u{1b}[31m";

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[serde(deny_unknown_fields)]
struct OrderPlaced {
    order_id: u64,
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Normal,
}

#[event_handler(OrderPlaced)]
struct Note;

impl EventHandler<OrderPlaced> for Note {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn mediator() -> Mediator {
    Mediator::builder().handlers(handlers![Note]).without_broker().build().unwrap()
}

fn message(name: impl Into<String>, payload: Value) -> InboundMessage {
    InboundMessage::new(MessageType::Notification, name, Uuid::nil(), payload)
}

/// `Display` and `Debug` of an error and of all its sources.
fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let chain = iter::successors(Some(error), |&error| error.source());
    chain.flat_map(|error| [error.to_string(), format!("{error:?}")]).collect()
}

#[track_caller]
fn assert_harmless(texts: &[String]) {
    for text in texts {
        assert!(!text.contains(['\n', '\r', '\u{1b}', '\u{202e}']), "{text}");
        assert!(text.len() < MOST, "{} bytes: {}", text.len(), &text[..200]);
    }
}

/// A text that orders, and one that is long.
fn hostile() -> [String; 3] {
    [FORGED.to_owned(), "x".repeat(1 << 20), format!("{}\u{202e}", "\u{1b}".repeat(1 << 16))]
}

#[tokio::test]
async fn names_of_messages() {
    for name in hostile() {
        let error = mediator().receive(message(&name, json!({}))).await.unwrap_err();
        assert!(matches!(error, ReceiveError::Unknown { .. }));
        assert_harmless(&texts(&error));
        let found = message(&name, json!({ "text": name }));
        assert_harmless(&[format!("{found:?}")]);
    }
    let error = mediator().receive(message(FORGED, json!({}))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r"no notification_event named `Order\n2026-11-28T12:00:00Z ERROR all is lost\u{1b}[31m` is known here"
    );
}

#[tokio::test]
async fn payloads() {
    for text in hostile() {
        for payload in [json!({ "order_id": text }), json!({ text.clone(): 1 }), json!({ "order_id": 1, "kind": text })]
        {
            let error = mediator().receive(message("OrderPlaced", payload)).await.unwrap_err();
            assert!(matches!(error, ReceiveError::Undecodable { .. }));
            assert_harmless(&texts(&error));
        }
    }
}

#[test]
fn envelopes() {
    for text in hostile() {
        let base =
            || json!({ "message_type": "ecst_event", "message_name": "A", "message_id": Uuid::nil(), "payload": {} });
        for field in ["message_type", "message_name", "message_id", "payload"] {
            let mut body = base();
            body[field] = if field == "message_name" { json!([text]) } else { json!(text) };
            let error = InboundMessage::decode(body.to_string().as_bytes(), None, []).unwrap_err();
            assert_harmless(&texts(&error));
        }
        let key = json!(text).to_string();
        let twice = format!("{{{key}:1,{key}:2}}");
        let error = match InboundMessage::decode(twice.as_bytes(), None, []) {
            Err(error @ (DecodeError::Repeated { .. } | DecodeError::TooLarge { .. })) => error,
            other => panic!("{other:?}"),
        };
        assert_harmless(&texts(&error));
        let error = InboundMessage::decode(b"{}", Some(&text), []).unwrap_err();
        assert_harmless(&texts(&error));
        let error =
            InboundMessage::decode(base().to_string().as_bytes(), None, [("causation_id", &*text)]).unwrap_err();
        assert_harmless(&texts(&error));
    }
}

#[test]
fn words_of_a_broker() {
    for text in hostile() {
        let io = std::io::Error::other(text.clone());
        let error = PublishError::fatal(format!("broker refused it: {text}")).with_code(text.clone()).with_source(io);
        assert!(error.source_as::<std::io::Error>().is_some());
        assert_harmless(&texts(&error));
        let sent = OutboundMessage::new(Uuid::nil(), MessageType::Ecst, "A", text.into_bytes());
        assert_harmless(&[format!("{sent:?}")]);
    }
}

#[test]
fn a_body_is_bounded_before_it_is_read() {
    let numbers = format!(r#"{{"message_type":"ecst_event","payload":{{"n":[{}]}}}}"#, "1,".repeat(32 << 20));
    let begun = std::time::Instant::now();
    let error = InboundMessage::decode(numbers.as_bytes(), None, []).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { limit: 1_048_576, .. }), "{error:?}");
    // Generous: reading it took 17 s on the machine where this was found.
    assert!(begun.elapsed() < std::time::Duration::from_secs(1));
}
