use std::convert::Infallible;
use std::fmt::Write;

use diator::deliveries::{DeadReason, DeliveryState, KeptDelivery, WHOLE_MESSAGE};
use serde::Serialize;

use super::body::{self, hex};
use super::id::Id;
use super::redact::redact;
use super::words::{cell, reason, short, time};
use crate::clean::clean;

/// How many characters of a text from outside are shown in a description.
const VALUE: usize = 1_000;

/// A delivery that a store keeps, as JSON.
#[derive(Serialize)]
pub(super) struct Record {
    id: String,
    endpoint: String,
    /// None if it is for all of them.
    handler: Option<String>,
    generation: u32,
    failures: u32,
    holds_key: bool,
    #[serde(flatten)]
    state: StateRecord,
    /// Why a part of it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    message: MessageRecord,
}

#[derive(Serialize)]
#[serde(untagged)]
enum StateRecord {
    Waiting {
        due: String,
        in_hand: bool,
        last_failure: Option<FailureRecord>,
    },
    Dead {
        at: String,
        kind: String,
        reason: String,
    },
    /// A newer version of the store has it.
    Unknown {},
}

/// How a handler failed.
#[derive(Serialize)]
struct FailureRecord {
    kind: String,
    reason: String,
}

#[derive(Serialize)]
struct MessageRecord {
    id: String,
    name: Option<String>,
    topic: String,
    position: Option<String>,
    key: Option<String>,
    content_type: Option<String>,
    headers: serde_json::Map<String, serde_json::Value>,
    /// As text; what is none stands in `body_hex`.
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

/// The handler that it is for; `None` if it is for all of them.
pub(super) fn handler(handler: &str) -> Option<&str> {
    (handler != WHOLE_MESSAGE).then_some(handler)
}

/// How tables show, and arguments name, what is for all handlers.
const ALL: &str = "all";

/// As tables show it.
pub(super) fn shown_handler(id: &str) -> String {
    handler(id).map_or_else(|| ALL.to_owned(), cell)
}

/// Reads what [`shown_handler`] shows.
pub(super) fn read_handler(shown: &str) -> Result<String, Infallible> {
    Ok(if shown == ALL { WHOLE_MESSAGE } else { shown }.to_owned())
}

pub(super) fn record(kept: &KeptDelivery) -> Record {
    let delivery = &kept.delivery;
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let body = std::str::from_utf8(&delivery.body).ok().map(str::to_owned);
    Record {
        id: Id::Handling(kept.id).to_string(),
        endpoint: delivery.endpoint.to_string(),
        handler: handler(&delivery.handler).map(str::to_owned),
        generation: delivery.generation,
        failures: delivery.failures,
        holds_key: delivery.holds_key,
        state: match &kept.state {
            DeliveryState::Waiting { due, leased } => StateRecord::Waiting {
                due: time(*due),
                in_hand: *leased,
                last_failure: delivery
                    .last_failure
                    .as_ref()
                    .map(|failure| FailureRecord { kind: failure.kind.to_string(), reason: redact(&failure.text) }),
            },
            DeliveryState::Dead { reason, at } => {
                StateRecord::Dead { at: time(*at), kind: reason.kind.to_string(), reason: redact(&reason.text) }
            }
            _ => StateRecord::Unknown {},
        },
        unreadable: text(&kept.unreadable),
        message: MessageRecord {
            id: delivery.message.to_string(),
            name: text(&delivery.name),
            topic: delivery.topic.to_string(),
            position: text(&delivery.position),
            key: text(&delivery.key),
            content_type: text(&delivery.content_type),
            headers: delivery.headers.iter().map(|(name, value)| (name.to_string(), (&**value).into())).collect(),
            body_hex: body.is_none().then(|| hex(&delivery.body)),
            body,
        },
    }
}

/// The columns that say what it is: its id, endpoint, handler, event and key.
pub(super) fn cells(kept: &KeptDelivery) -> [String; 5] {
    let delivery = &kept.delivery;
    let or_none = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), cell);
    [
        Id::Handling(kept.id).to_string(),
        cell(&delivery.endpoint),
        shown_handler(&delivery.handler),
        match &kept.unreadable {
            Some(_) => "cannot be read".to_owned(),
            None => or_none(delivery.name.as_deref()),
        },
        or_none(delivery.key.as_deref()),
    ]
}

pub(super) const DEAD_HEADING: [&str; 8] = ["ID", "SINCE", "ENDPOINT", "HANDLER", "EVENT", "KEY", "TRIES", "REASON"];

/// A failure in a table.
pub(super) fn shown_failure(failure: &DeadReason) -> String {
    format!("{}: {}", cell(&failure.kind), reason(&failure.text))
}

/// A line of the table of dead letters.
pub(super) fn dead_row(kept: &KeptDelivery) -> Vec<String> {
    let [id, endpoint, handler, event, key] = cells(kept);
    let (since, reason) = match &kept.state {
        DeliveryState::Dead { reason, at } => (time(*at), shown_failure(reason)),
        _ => ("-".to_owned(), "-".to_owned()),
    };
    let parks = if kept.delivery.holds_key { " (parked)" } else { "" };
    vec![id, since, endpoint, handler, event, key + parks, kept.delivery.failures.to_string(), reason]
}

/// All of it; texts from outside are shortened unless it is shown in full.
pub(super) fn description(kept: &KeptDelivery, full: bool) -> String {
    let cut = |text: &str| short(&clean(text), if full { usize::MAX } else { VALUE });
    let delivery = &kept.delivery;
    let (title, details) = match &kept.state {
        DeliveryState::Dead { reason, at } => {
            let texts = [("kind", reason.kind.to_string()), ("reason", redact(&reason.text)), ("since", time(*at))];
            ("dead letter", texts.to_vec())
        }
        DeliveryState::Waiting { due, leased } => {
            let due = time(*due) + if *leased { ", a process has it in hand" } else { "" };
            let failure = delivery.last_failure.iter();
            let failure =
                failure.map(|failure| ("last failure", format!("{}: {}", failure.kind, redact(&failure.text))));
            ("delivery that waits", [("due", due)].into_iter().chain(failure).collect())
        }
        _ => ("delivery", Vec::new()),
    };
    let mut text = format!("{title} {}\n", Id::Handling(kept.id));
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            _ = writeln!(text, "  {name:12}  {}", cut(value));
        }
    };
    details.iter().for_each(|(name, value)| line(name, Some(value)));
    line("", kept.unreadable.as_ref().map(|error| format!("it cannot be read: {error}")).as_deref());
    line("endpoint", Some(&delivery.endpoint));
    line("handler", Some(handler(&delivery.handler).unwrap_or("all of the message")));
    line("tries", Some(&delivery.failures.to_string()));
    line("replays", Some(&delivery.generation.to_string()));
    line("event", Some(delivery.name.as_deref().unwrap_or("cannot be read")));
    line("topic", Some(&*delivery.topic).filter(|topic| !topic.is_empty()));
    line("position", delivery.position.as_deref());
    line("key", delivery.key.as_deref());
    line("", delivery.holds_key.then_some("later messages of this key wait until this one is gone"));
    line("message id", Some(&delivery.message.to_string()));
    line("content type", delivery.content_type.as_deref());
    if !delivery.headers.is_empty() {
        text += "headers\n";
    }
    for (name, value) in &delivery.headers {
        _ = writeln!(text, "  {}  {}", cut(name), cut(value));
    }
    text + &body::shown(&delivery.body, full)
}
