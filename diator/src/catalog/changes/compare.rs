use serde_json::Value;

use super::parties::Parties;
use super::{Change, Impact, handlers, schema};
use crate::catalog::labels::clean;

/// What differs between two catalogs, as JSON.
pub(super) fn catalogs(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let middleware = handlers::Middleware::of(old, new);
    for list in ["requests", "events"] {
        messages(list_of(&old[list]), list_of(&new[list]), &middleware, &mut changes);
    }
    middleware.tell(&mut changes);
    no_longer_emitted(old, new, &mut changes);
    broker(&old["broker"], &new["broker"], &mut changes);
    changes
}

pub(super) fn note(changes: &mut Vec<Change>, impact: Impact, text: &str) {
    changes.push(Change { impact, text: clean(text) });
}

pub(super) fn list_of(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().escape_debug().to_string()
}

/// Pairs messages of one type; what is left over and has kind and name in common was moved.
fn messages(
    mut old: Vec<&Value>,
    mut new: Vec<&Value>,
    middleware: &handlers::Middleware<'_>,
    changes: &mut Vec<Change>,
) {
    for same in [&["type"][..], &["kind", "name"]] {
        old.retain(|was| {
            let pair = new.iter().position(|is| same.iter().all(|field| was[*field] == is[*field]));
            pair.map(|place| message(was, new.remove(place), middleware, changes)).is_none()
        });
    }
    for was in old {
        let text = format!("{} is gone", title(was));
        match is_on_the_wire(was) {
            true => Parties::of(was).all().for_each(|impact| note(changes, impact, &text)),
            false => note(changes, Impact::Senders, &text),
        }
    }
    for is in new {
        note(changes, Impact::Nobody, &format!("{} is new", title(is)));
    }
}

fn is_on_the_wire(message: &Value) -> bool {
    matches!(message["kind"].as_str(), Some("notification_event" | "ecst_event"))
}

fn title(message: &Value) -> String {
    format!("the {} `{}`", text(message, "kind").replace('_', " ").replace("ecst", "ECST"), text(message, "type"))
}

fn message(old: &Value, new: &Value, middleware: &handlers::Middleware<'_>, changes: &mut Vec<Change>) {
    let title = title(old);
    if is_on_the_wire(old) {
        event(&title, old, new, changes);
    }
    for (field, was, is) in differing(old, new) {
        let change = format!("{title}: {}", changed(field, was, is));
        match field {
            "handlers" => handlers::compare(&title, old, new, middleware, changes),
            "aliases" => aliases(&title, was, is, changes),
            "marks" => marks(&title, was, is, changes),
            "name" | "kind" | "topic" | "key" | "schema" | "schema_read" | "direction" if is_on_the_wire(old) => {}
            "response" | "error" | "kind" => note(changes, Impact::Senders, &change),
            "schema" | "schema_read" | "direction" => {}
            _ => note(changes, Impact::Nobody, &change),
        }
    }
}

/// What an event is to other processes: to those that read what is sent, and to those that send what is received.
fn event(title: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let (parties, now) = (Parties::of(old), Parties::of(new));
    for (field, was, is) in differing(old, new) {
        let mut tell = |impact: Impact, text: &str| note(changes, impact, &format!("{title}: {text}"));
        match (field, was, is) {
            // Those who send it under the old name are still understood.
            ("name", Value::String(name), _)
                if !parties.read && list_of(&new["aliases"]).iter().any(|one| *one == name) =>
            {
                tell(Impact::Nobody, &changed(field, was, is));
            }
            ("name" | "kind" | "topic", ..) => parties.all().for_each(|impact| tell(impact, &changed(field, was, is))),
            ("key", ..) => tell(parties.readers(), &changed(field, was, is)),
            // What is sent and received has a schema for each.
            ("schema", Value::Object(_), Value::Object(_)) if old["schema_read"].is_object() => {
                schema::compare(title, Parties { send: false, ..parties }, was, is, changes);
            }
            ("schema", Value::Object(_), Value::Object(_)) => schema::compare(title, parties, was, is, changes),
            ("schema_read", Value::Object(_), Value::Object(_)) => {
                schema::compare(title, Parties { read: false, ..parties }, was, is, changes);
            }
            // Without the feature, no schema is known.
            ("schema", Value::Object(_), _) if cfg!(feature = "asyncapi") => {
                let text = "its shape is no longer told, and so no longer compared: `#[event(schema)]` is gone";
                parties.all().for_each(|impact| tell(impact, text));
            }
            ("schema", _, Value::Object(_)) => tell(Impact::Nobody, "its shape is now told"),
            ("direction", ..) => {
                parties.changes_to(now).for_each(|(impact, text)| tell(impact, text));
            }
            _ => {}
        }
    }
}

/// Events that still seem to be sent, because nobody handles them here, and that no handler emits any more, or was seen to.
fn no_longer_emitted(old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let (was, is) = (handlers::caused(old), handlers::caused(new));
    for event in list_of(&new["events"]).into_iter().filter(|event| Parties::of(event).read) {
        if was.contains(&&event["type"]) && !is.contains(&&event["type"]) {
            let (impact, text) = match handlers::is_unobserved_cause(old, new, &event["type"]) {
                true => (Impact::Nobody, "it is no longer seen to be emitted: the handler that did was not observed"),
                false => (Impact::Consumers, "no handler emits it any more"),
            };
            note(changes, impact, &format!("{}: {text}", title(event)));
        }
    }
}

/// The fields of either that differ; places do not count.
pub(super) fn differing<'a>(old: &'a Value, new: &'a Value) -> impl Iterator<Item = (&'a str, &'a Value, &'a Value)> {
    let fields = |value: &'a Value| value.as_object().into_iter().flat_map(|fields| fields.keys());
    let names = fields(old).chain(fields(new).filter(|name| old.get(*name).is_none()));
    let pairs = names.map(|name| (name.as_str(), &old[name], &new[name]));
    pairs.filter(|(name, was, is)| *name != "source" && was != is)
}

pub(super) fn changed(field: &str, was: &Value, is: &Value) -> String {
    format!("{} was {was}, now {is}", field.replace('_', " "))
}

fn aliases(title: &str, was: &Value, is: &Value, changes: &mut Vec<Change>) {
    let (was, is) = (list_of(was), list_of(is));
    for lost in was.iter().filter(|alias| !is.contains(alias)) {
        note(changes, Impact::Senders, &format!("{title}: it is no longer read under the name {lost}"));
    }
    for new in is.iter().filter(|alias| !was.contains(alias)) {
        note(changes, Impact::Nobody, &format!("{title}: it is now also read under the name {new}"));
    }
}

fn marks(title: &str, was: &Value, is: &Value, changes: &mut Vec<Change>) {
    let (was, is) = (list_of(was), list_of(is));
    let lost = was.iter().filter(|mark| !is.contains(mark)).map(|mark| format!("it has lost its mark {mark}"));
    let new = is.iter().filter(|mark| !was.contains(mark)).map(|mark| format!("its mark {mark} is new"));
    lost.chain(new).for_each(|change| note(changes, Impact::Nobody, &format!("{title}: {change}")));
}

fn broker(old: &Value, new: &Value, changes: &mut Vec<Change>) {
    for (field, was, is) in differing(old, new) {
        let impact = if field == "content_type" && !is.is_null() { Impact::Consumers } else { Impact::Nobody };
        note(changes, impact, &format!("the broker: {}", changed(field, was, is)));
    }
}
