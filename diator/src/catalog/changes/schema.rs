use serde_json::{Map, Value};

use super::compare::{changed, note};
use super::{Change, Impact};

/// Compares the JSON Schemas of what a program writes: more may come, but nothing may go or change. What arrives must not
/// need more, either.
pub(super) fn compare(title: &str, arrives: bool, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    Comparison { title, arrives, changes }.schemas("", old, new);
}

struct Comparison<'a> {
    title: &'a str,
    /// Whether the program handles the event, when others send it.
    arrives: bool,
    changes: &'a mut Vec<Change>,
}

/// What a reader may ignore.
const ANNOTATIONS: [&str; 6] = ["$schema", "title", "description", "default", "examples", "deprecated"];

impl Comparison<'_> {
    fn schemas(&mut self, path: &str, old: &Value, new: &Value) {
        let (Value::Object(was), Value::Object(is)) = (old, new) else {
            return self.any(path, "schema", old, new);
        };
        let names = was.keys().chain(is.keys().filter(|name| !was.contains_key(*name)));
        for name in names {
            let (was, is) = (&old[name], &new[name]);
            match name.as_str() {
                _ if was == is => {}
                "properties" | "definitions" => self.members(path, was, is),
                "required" => self.required(path, was, is, new),
                "oneOf" | "anyOf" => self.alternatives(path, name, was, is),
                "items" | "additionalProperties" if was.is_object() && is.is_object() => {
                    self.schemas(&format!("{path}[]"), was, is);
                }
                name if ANNOTATIONS.contains(&name) => self.note(path, Impact::Nobody, &changed(name, was, is)),
                name => self.any(path, name, was, is),
            }
        }
    }

    fn any(&mut self, path: &str, name: &str, was: &Value, is: &Value) {
        if was != is {
            self.note(path, Impact::Consumers, &changed(name, was, is));
        }
    }

    fn members(&mut self, path: &str, old: &Value, new: &Value) {
        let none = Map::new();
        let (was, is) = (old.as_object().unwrap_or(&none), new.as_object().unwrap_or(&none));
        for (name, schema) in was {
            let path = join(path, name);
            match is.get(name) {
                Some(other) => self.schemas(&path, schema, other),
                None => self.note(&path, Impact::Consumers, "it is gone"),
            }
        }
        for name in is.keys().filter(|name| !was.contains_key(*name)) {
            self.note(&join(path, name), Impact::Nobody, "it is new");
        }
    }

    fn required(&mut self, path: &str, was: &Value, is: &Value, new: &Value) {
        let names = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let (was, is) = (names(was), names(is));
        // A field that is gone is told of already.
        for name in was.iter().filter(|name| !is.contains(name) && new["properties"].get(name).is_some()) {
            self.note(&join(path, name), Impact::Consumers, "it may now be missing");
        }
        for name in is.iter().filter(|name| !was.contains(name)) {
            match self.arrives && !may_be_null(&new["properties"][name]) {
                true => self.note(&join(path, name), Impact::Senders, "whoever sends the event must now give it"),
                false => self.note(&join(path, name), Impact::Nobody, "it is now always written"),
            }
        }
    }

    fn alternatives(&mut self, path: &str, name: &str, was: &Value, is: &Value) {
        match (was, is) {
            (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
                for (number, (was, is)) in was.iter().zip(is).enumerate() {
                    self.schemas(&format!("{path}({})", number + 1), was, is);
                }
            }
            (Value::Array(was), Value::Array(is)) if is.iter().all(|one| was.contains(one)) => {
                self.note(path, Impact::Nobody, "it has fewer alternatives");
            }
            (Value::Array(_), Value::Array(_)) => {
                self.note(path, Impact::Consumers, "it has alternatives that readers do not know");
            }
            _ => self.any(path, name, was, is),
        }
    }

    fn note(&mut self, path: &str, impact: Impact, text: &str) {
        let text = match path {
            "" => format!("{}: its schema: {text}", self.title),
            path => format!("{}: its field `{}`: {text}", self.title, path.escape_debug()),
        };
        note(self.changes, impact, &text);
    }
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let among = |name: &str| schema[name].as_array().into_iter().flatten().any(|one| is_null(&one["type"]));
    schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null)) || among("anyOf") || among("oneOf")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
