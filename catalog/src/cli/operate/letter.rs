use std::fmt::Write;

use diator::OutboundMessage;
use diator::outbox::DeadLetter;
use serde::Serialize;

use super::body::{self, hex};
use super::redact::redact;
use super::words::{cell, reason, short, time};
use crate::clean::clean;

/// How many characters of a text from outside are shown in a description.
const VALUE: usize = 1_000;

/// A dead letter as JSON.
#[derive(Serialize)]
pub(super) struct Record {
    id: i64,
    at: String,
    attempts: u32,
    reason: String,
    parks_key: bool,
    message: Option<MessageRecord>,
    /// Why there is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

#[derive(Serialize)]
struct MessageRecord {
    id: String,
    message_type: &'static str,
    name: String,
    topic: Option<String>,
    key: Option<String>,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    traceparent: Option<String>,
    content_type: String,
    headers: serde_json::Map<String, serde_json::Value>,
    /// As text; what is none stands in `body_hex`.
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

pub(super) fn record(letter: &DeadLetter) -> Record {
    Record {
        id: letter.id,
        at: time(letter.at),
        attempts: letter.attempts,
        reason: redact(&letter.reason),
        parks_key: letter.parks_key,
        message: letter.message.as_ref().ok().map(message_record),
        unreadable: letter.message.as_ref().err().cloned(),
    }
}

fn message_record(message: &OutboundMessage) -> MessageRecord {
    let body = std::str::from_utf8(&message.body).ok().map(str::to_owned);
    MessageRecord {
        id: message.id.to_string(),
        message_type: message.message_type.as_str(),
        name: message.name.to_string(),
        topic: message.topic.as_deref().map(str::to_owned),
        key: message.key.clone(),
        correlation_id: message.correlation_id.map(|id| id.to_string()),
        causation_id: message.causation_id.map(|id| id.to_string()),
        traceparent: message.traceparent.as_deref().map(str::to_owned),
        content_type: message.content_type.to_string(),
        headers: message.headers.iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
        body_hex: body.is_none().then(|| hex(&message.body)),
        body,
    }
}

pub(super) const HEADING: [&str; 7] = ["ID", "SINCE", "EVENT", "TOPIC", "KEY", "TRIES", "REASON"];

/// A line of the table.
pub(super) fn row(letter: &DeadLetter) -> Vec<String> {
    let message = letter.message.as_ref().ok();
    let or_none = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), cell);
    vec![
        letter.id.to_string(),
        time(letter.at),
        message.map_or_else(|| "cannot be read".to_owned(), |message| cell(&message.name)),
        or_none(message.and_then(|message| message.topic.as_deref())),
        or_none(message.and_then(|message| message.key.as_deref())) + if letter.parks_key { " (parked)" } else { "" },
        letter.attempts.to_string(),
        reason(&letter.reason),
    ]
}

/// All of it; texts from outside are shortened unless it is shown in full.
pub(super) fn description(letter: &DeadLetter, full: bool) -> String {
    let cut = |text: &str, most: usize| short(&clean(text), if full { usize::MAX } else { most });
    let mut text = format!("dead letter {}\n", letter.id);
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            _ = writeln!(text, "  {name:12}  {}", cut(value, VALUE));
        }
    };
    line("reason", Some(&redact(&letter.reason)));
    line("since", Some(&time(letter.at)));
    line("tries", Some(&letter.attempts.to_string()));
    let message = match &letter.message {
        Ok(message) => message,
        Err(error) => {
            line("", Some(&format!("the message cannot be read: {error}")));
            return text;
        }
    };
    line("event", Some(&message.name));
    line("kind", Some(message.message_type.as_str()));
    line("topic", message.topic.as_deref());
    line("key", message.key.as_deref());
    line("", letter.parks_key.then_some("later messages of this key wait until this one is replayed or discarded"));
    line("message id", Some(&message.id.to_string()));
    line("correlation", message.correlation_id.map(|id| id.to_string()).as_deref());
    line("causation", message.causation_id.map(|id| id.to_string()).as_deref());
    line("traceparent", message.traceparent.as_deref());
    line("content type", Some(&message.content_type));
    if !message.headers.is_empty() {
        text += "headers\n";
    }
    for (name, value) in message.headers.iter() {
        _ = writeln!(text, "  {}  {}", cut(name, VALUE), cut(value, VALUE));
    }
    text + &body::shown(&message.body, full)
}
