//! How edges stand in a file: a line for each handler, so that a review shows which one has changed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::message::Message;
use super::seen::{Handling, Seen};
use crate::json::{self, sorted};
use diator::BoxError;
use diator::middleware::MessageKind;
use diator::wiring::Wiring;

/// A handler that ran, and what it caused.
#[derive(Deserialize)]
struct Ran {
    #[serde(flatten)]
    handling: Handling,
    causes: BTreeSet<String>,
}

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
    let wiring = Wiring::linked();
    let requests = wiring.requests.into_iter().map(|request| request.type_name);
    let linked: HashSet<_> = requests.chain(wiring.events.into_iter().map(|event| event.type_name)).collect();
    seen.messages.iter().filter(move |(name, _)| !linked.contains(&***name)).map(|(_, message)| message)
}

fn list(name: &str, entries: &[String]) -> String {
    match entries.is_empty() {
        true => format!("  \"{name}\": []"),
        false => format!("  \"{name}\": [\n    {}\n  ]", entries.join(",\n    ")),
    }
}

fn handler((handling, causes): (&Handling, &BTreeSet<String>)) -> String {
    let handler = handling.handler.iter().map(|handler| format!(", \"handler\": {}", json!(handler)));
    let causes: Vec<_> = causes.iter().map(|cause| json!(cause).to_string()).collect();
    let (message, handler) = (json!(handling.message), handler.collect::<String>());
    format!("{{\"message\": {message}{handler}, \"causes\": [{}]}}", causes.join(", "))
}

pub(super) fn message(message: &Message) -> String {
    let mut value = json::value(message);
    if let Some(fields) = value.as_object_mut() {
        // They belong to the catalog that the message is shown in.
        ["handlers", "source", "remote"].iter().for_each(|field| _ = fields.remove(*field));
    }
    sorted(&value).to_string()
}

pub(super) fn read(text: &str) -> Result<Seen, BoxError> {
    let form = "it has no list `handlers` of objects with `message`, `causes` and perhaps `handler`; \
                set DIATOR_BLESS=1 and run the test that notes the edges down, to have it written";
    let file: Value = serde_json::from_str(text).map_err(|error| format!("{form} (it is not json: {error})"))?;
    let mut handlers = BTreeMap::<_, BTreeSet<_>>::new();
    for Ran { handling, causes } in Vec::<Ran>::deserialize(&file["handlers"]).map_err(|_| form)? {
        handlers.entry(handling).or_default().extend(causes);
    }
    let messages = file["messages"].as_array().into_iter().flatten().map(read_message);
    let messages: Result<Vec<_>, _> = messages.collect();
    let messages = messages.map_err(|_| "its list `messages` has one without `type`, `name` or `kind`")?;
    let by_type = messages.into_iter().map(|message| (message.type_name().to_owned(), message));
    Ok(Seen { handlers, messages: by_type.collect() })
}

fn read_message(entry: &Value) -> serde_json::Result<Message> {
    Ok(match MessageKind::deserialize(&entry["kind"])? {
        MessageKind::Command | MessageKind::Query => Message::Request(Deserialize::deserialize(entry)?),
        _ => Message::Event(Deserialize::deserialize(entry)?),
    })
}
