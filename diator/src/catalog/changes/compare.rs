use serde_json::Value;

use super::{Change, Impact, schema};
use crate::catalog::labels::clean;

/// What differs between two catalogs, as JSON.
pub(super) fn catalogs(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for list in ["requests", "events"] {
        messages(list_of(&old[list]), list_of(&new[list]), &mut changes);
    }
    broker(&old["broker"], &new["broker"], &mut changes);
    changes
}

pub(super) fn note(changes: &mut Vec<Change>, impact: Impact, text: &str) {
    changes.push(Change { impact, text: clean(text) });
}

fn list_of(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

/// Pairs messages of one type; what is left over and has kind and name in common was moved.
fn messages(mut old: Vec<&Value>, mut new: Vec<&Value>, changes: &mut Vec<Change>) {
    for same in [&["type"][..], &["kind", "name"]] {
        old.retain(|was| {
            let pair = new.iter().position(|is| same.iter().all(|field| was[*field] == is[*field]));
            pair.map(|place| message(was, new.remove(place), changes)).is_none()
        });
    }
    for was in old {
        let impact = if is_on_the_wire(was) { Impact::Consumers } else { Impact::Senders };
        note(changes, impact, &format!("{} is gone", title(was)));
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

fn message(old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let title = title(old);
    for (field, was, is) in differing(old, new) {
        let change = format!("{title}: {}", changed(field, was, is));
        match field {
            "handlers" => handlers(&title, old, new, changes),
            "schema" if was.is_object() && is.is_object() => {
                let arrives = new["handlers"].as_array().is_some_and(|handlers| !handlers.is_empty());
                schema::compare(&title, arrives, was, is, changes);
            }
            "aliases" => aliases(&title, was, is, changes),
            "marks" => marks(&title, was, is, changes),
            "name" | "kind" | "topic" if is_on_the_wire(old) || is_on_the_wire(new) => {
                note(changes, Impact::Consumers, &change);
            }
            "response" | "error" | "kind" => note(changes, Impact::Senders, &change),
            _ => note(changes, Impact::Nobody, &change),
        }
    }
}

/// The fields of either that differ; places do not count.
fn differing<'a>(old: &'a Value, new: &'a Value) -> impl Iterator<Item = (&'a str, &'a Value, &'a Value)> {
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

fn handlers(title: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let is_request = old.get("response").is_some();
    let (was, mut is) = (list_of(&old["handlers"]), list_of(&new["handlers"]));
    let impact = if is_request && is.is_empty() && new["remote"] != true { Impact::Senders } else { Impact::Nobody };
    for handler in was {
        let name = text(handler, "type");
        match is.iter().position(|other| other["type"] == handler["type"]) {
            Some(place) => {
                for (field, was, is) in differing(handler, is.remove(place)) {
                    let change = if field == "dependencies" { needs(was, is) } else { changed(field, was, is) };
                    note(changes, Impact::Nobody, &format!("{title}: its handler `{name}`: {change}"));
                }
            }
            None => note(changes, impact, &format!("{title}: it has lost its handler `{name}`")),
        }
    }
    for handler in is {
        let name = text(handler, "type");
        note(changes, Impact::Nobody, &format!("{title}: its handler `{name}` is new"));
    }
}

fn needs(was: &Value, is: &Value) -> String {
    let one = |need: &Value| format!("{} ({})", text(need, "type"), text(need, "lifetime"));
    let all = |needs: &Value| list_of(needs).into_iter().map(one).collect::<Vec<_>>().join(", ");
    format!("it needed {}, now {}", all(was), all(is))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().escape_debug().to_string()
}

fn broker(old: &Value, new: &Value, changes: &mut Vec<Change>) {
    for (field, was, is) in differing(old, new) {
        let impact = if field == "content_type" && !is.is_null() { Impact::Consumers } else { Impact::Nobody };
        note(changes, impact, &format!("the broker: {}", changed(field, was, is)));
    }
}
