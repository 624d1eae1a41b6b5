//! How edges stand in a file: a line for each handler, so that a review shows which one has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Cause, Message, Seen};
use crate::BoxError;
use crate::catalog::json::{self, sorted};
use crate::catalog::labels::KINDS;
use crate::catalog::{EventEntry, RequestEntry};
use crate::middleware::MessageKind;

pub(super) fn write(seen: &Seen) -> String {
    let mut lists = vec![list("handlers", &seen.handlers.iter().map(handler).collect::<Vec<_>>())];
    let messages: Vec<_> = unlinked(seen).map(message).collect();
    if !messages.is_empty() {
        lists.push(list("messages", &messages));
    }
    format!("{{\n{}\n}}\n", lists.join(",\n"))
}

/// What the registry does not have: whoever reads the file finds the others there.
pub(super) fn unlinked(seen: &Seen) -> impl Iterator<Item = &Message> {
    seen.messages.iter().filter(|(name, _)| Message::linked(name).is_none()).map(|(_, message)| message)
}

fn list(name: &str, entries: &[String]) -> String {
    match entries.is_empty() {
        true => format!("  \"{name}\": []"),
        false => format!("  \"{name}\": [\n    {}\n  ]", entries.join(",\n    ")),
    }
}

fn handler((cause, causes): (&Cause, &BTreeSet<&'static str>)) -> String {
    let handler = cause.handler.map(|handler| format!(", \"handler\": {}", json!(handler))).unwrap_or_default();
    let causes: Vec<_> = causes.iter().map(|cause| json!(cause).to_string()).collect();
    format!("{{\"message\": {}{handler}, \"causes\": [{}]}}", json!(cause.message), causes.join(", "))
}

pub(super) fn message(message: &Message) -> String {
    let mut value = match message {
        Message::Request(request) => json::request(request),
        Message::Event(event) => json::event(event),
    };
    if let Some(fields) = value.as_object_mut() {
        // They belong to the catalog that the message is shown in.
        ["handlers", "source", "remote"].iter().for_each(|field| _ = fields.remove(*field));
    }
    sorted(&value).to_string()
}

pub(super) fn read(text: &str) -> Result<Seen, BoxError> {
    let file: Value = serde_json::from_str(text)?;
    let form = "it has no list `handlers` of objects with `message`, `causes` and perhaps `handler`; \
                set DIATOR_BLESS=1 and run the test that notes the edges down, to have it written";
    let mut handlers = BTreeMap::<_, BTreeSet<_>>::new();
    for entry in file["handlers"].as_array().ok_or(form)? {
        let (cause, causes) = read_handler(entry).ok_or(form)?;
        handlers.entry(cause).or_default().extend(causes);
    }
    let messages = file["messages"].as_array().into_iter().flatten().map(read_message);
    let messages: Option<Vec<_>> = messages.collect();
    let messages = messages.ok_or("its list `messages` has one without `type`, `name` or `kind`")?;
    Ok(Seen { handlers, messages: messages.into_iter().map(|message| (message.type_name(), message)).collect() })
}

fn read_handler(entry: &Value) -> Option<(Cause, Vec<&'static str>)> {
    let cause = Cause { message: text(&entry["message"])?, handler: text(&entry["handler"]) };
    let causes: Option<_> = entry["causes"].as_array()?.iter().map(text).collect();
    Some((cause, causes?))
}

fn read_message(entry: &Value) -> Option<Message> {
    let (name, type_name) = (text(&entry["name"])?, text(&entry["type"])?);
    let kind = KINDS.into_iter().find(|kind| entry["kind"] == kind.as_str())?;
    let marks = texts(&entry["marks"]);
    Some(match kind {
        MessageKind::Command | MessageKind::Query => Message::Request(RequestEntry {
            name,
            type_name,
            kind,
            response: text(&entry["response"]).unwrap_or("?"),
            error: text(&entry["error"]).unwrap_or("?"),
            idempotent: entry["idempotent"] == true,
            marks,
            remote: false,
            source: None,
            handlers: Vec::new(),
        }),
        _ => Message::Event(EventEntry {
            name,
            type_name,
            kind,
            topic: text(&entry["topic"]),
            key: text(&entry["key"]),
            aliases: texts(&entry["aliases"]),
            must_be_handled: entry["must_be_handled"] == true,
            marks,
            schema: Some(entry["schema"].clone()).filter(Value::is_object),
            // Nobody handles it here, or the registry would have it.
            schema_read: None,
            source: None,
            handlers: Vec::new(),
        }),
    })
}

fn texts(list: &Value) -> Vec<&'static str> {
    list.as_array().into_iter().flatten().filter_map(text).collect()
}

fn text(value: &Value) -> Option<&'static str> {
    value.as_str().map(lasting)
}

/// The text for as long as the program runs, as the names of types are in a catalog. Each is kept once, however often
/// files are read.
fn lasting(text: &str) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(text) {
        return known;
    }
    let lasting: &'static str = Box::leak(text.into());
    kept.insert(lasting);
    lasting
}
