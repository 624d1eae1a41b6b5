use std::collections::HashSet;

use serde_json::{Map, Value};

use super::change::{Change, Impact, note};
use super::shift::{Shift, shift, values};
use crate::parties::Parties;

/// Compares the JSON Schemas of an event. Who reads what is sent must not find more than before, nor miss anything; who
/// sends what is received must not need to give more.
pub(super) fn compare(title: &str, parties: Parties, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let mut comparison = Comparison { parties, roots: [old, new], compared: HashSet::new(), found: Vec::new() };
    comparison.schemas("", old, new);
    for (path, impact, text) in comparison.found {
        let text = match &*path {
            "" => format!("{title}: its schema: {text}"),
            path => format!("{title}: its field `{}`: {text}", path.escape_debug()),
        };
        note(changes, impact, &text);
    }
}

struct Comparison<'a> {
    parties: Parties,
    /// Where references lead into.
    roots: [&'a Value; 2],
    /// The pairs of references that were followed, and where, if one side has none: a type may contain itself.
    compared: HashSet<(String, String, String)>,
    /// Where, whom it breaks, and what it is.
    found: Vec<(String, Impact, String)>,
}

/// What a reader may ignore.
const ANNOTATIONS: [&str; 6] = ["$schema", "title", "description", "default", "examples", "deprecated"];

impl<'a> Comparison<'a> {
    fn schemas(&mut self, path: &str, old: &'a Value, new: &'a Value) {
        let (old, new) = (unwrapped(old), unwrapped(new));
        let (was, is) = (text_of(&old["$ref"]), text_of(&new["$ref"]));
        if !(was.is_empty() && is.is_empty()) {
            let path_matters = was.is_empty() || is.is_empty();
            let pair = (if path_matters { path.to_owned() } else { String::new() }, was, is);
            // A definition's name is a type's, and not on the wire.
            if self.compared.insert(pair) {
                self.schemas(path, resolved(self.roots[0], old), resolved(self.roots[1], new));
            }
            return;
        }
        match (values(old), values(new)) {
            (Some(was), Some(is)) => self.values(path, &was, &is),
            _ => self.objects(path, old, new),
        }
    }

    fn objects(&mut self, path: &str, old: &'a Value, new: &'a Value) {
        match (alternatives(old), alternatives(new)) {
            (None, None) => {}
            (Some(was), Some(is)) => self.alternatives(path, was, is),
            (Some(was), None) => return self.alternatives(path, was, vec![new]),
            (None, Some(is)) => return self.alternatives(path, vec![old], is),
        }
        match (old, new) {
            (Value::Object(was), Value::Object(is)) => self.fields(path, was, is, new),
            _ if old != new => self.shifted(path, Shift::Other, &changed("schema", old, new)),
            _ => {}
        }
    }

    fn fields(&mut self, path: &str, old: &'a Map<String, Value>, new: &'a Map<String, Value>, schema: &Value) {
        let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
        for name in names {
            let none = &Value::Null;
            let (was, is) = (old.get(name).unwrap_or(none), new.get(name).unwrap_or(none));
            match name.as_str() {
                "definitions" | "oneOf" | "anyOf" => {}
                "properties" => self.members(path, was, is),
                "items" | "additionalProperties" if was.is_object() && is.is_object() => {
                    self.schemas(&format!("{path}[]"), was, is);
                }
                "items" | "allOf" | "patternProperties" if are_alike(was, is) => self.each(path, was, is),
                _ if was == is => {}
                "required" => self.required(path, was, is, schema),
                name if ANNOTATIONS.contains(&name) => {
                    self.found.push((path.to_owned(), Impact::Nobody, changed(name, was, is)));
                }
                name => self.shifted(path, shift(name, was, is), &changed(name, was, is)),
            }
        }
    }

    /// The places of a tuple, or what else has no order of its own; references among them are followed.
    fn each(&mut self, path: &str, old: &'a Value, new: &'a Value) {
        for (number, (was, is)) in parts(old).into_iter().zip(parts(new)).enumerate() {
            self.schemas(&format!("{path}[{number}]"), was, is);
        }
    }

    fn members(&mut self, path: &str, old: &'a Value, new: &'a Value) {
        for (name, schema) in old.as_object().into_iter().flatten() {
            let path = join(path, name);
            match new.get(name) {
                Some(other) => self.schemas(&path, schema, other),
                None => self.found.push((path, self.parties.readers(), "it is gone".to_owned())),
            }
        }
        for name in new.as_object().into_iter().flatten().map(|(name, _)| name).filter(|name| old.get(name).is_none()) {
            self.found.push((join(path, name), Impact::Nobody, "it is new".to_owned()));
        }
    }

    fn required(&mut self, path: &str, was: &Value, is: &Value, new: &Value) {
        let names = |value: &Value| value.as_array().into_iter().flatten().map(text_of).collect::<Vec<_>>();
        let (was, is) = (names(was), names(is));
        // A field that is gone is told of already.
        for name in was.iter().filter(|name| !is.contains(name) && new["properties"].get(name).is_some()) {
            self.found.push((join(path, name), self.parties.readers(), "it may now be missing".to_owned()));
        }
        for name in is.iter().filter(|name| !was.contains(name)) {
            let (impact, text) = match self.parties.send && !may_be_null(&new["properties"][name]) {
                true => (Impact::Senders, "every sender of the event must now give it"),
                false => (Impact::Nobody, "it is now always written"),
            };
            self.found.push((join(path, name), impact, text.to_owned()));
        }
    }

    /// Variants without content, and other values that are listed.
    fn values(&mut self, path: &str, was: &[&Value], is: &[&Value]) {
        for gone in was.iter().filter(|value| !is.contains(value)) {
            self.shifted(path, Shift::Narrower, &format!("{gone} is no longer among its values"));
        }
        for new in is.iter().filter(|value| !was.contains(value)) {
            self.shifted(path, Shift::Wider, &format!("{new} is new among its values"));
        }
    }

    /// Pairs the alternatives that are the same; if as many of each are left, those are taken to have changed.
    fn alternatives(&mut self, path: &str, mut old: Vec<&'a Value>, mut new: Vec<&'a Value>) {
        let count = old.len();
        old.retain(|was| {
            let same = new.iter().position(|is| self.is_same(was, is));
            same.map(|place| new.remove(place)).is_none()
        });
        if old.len() == new.len() {
            for (number, (was, is)) in old.into_iter().zip(new).enumerate() {
                let path = if count > 1 { format!("{path}({})", number + 1) } else { path.to_owned() };
                self.schemas(&path, was, is);
            }
            return;
        }
        if !old.is_empty() {
            self.shifted(path, Shift::Narrower, "it has fewer alternatives");
        }
        if !new.is_empty() {
            self.shifted(path, Shift::Wider, "it has alternatives that readers do not know");
        }
    }

    fn is_same(&self, old: &'a Value, new: &'a Value) -> bool {
        let (roots, compared) = (self.roots, self.compared.clone());
        let parties = Parties { read: true, send: true, told: true };
        let mut comparison = Comparison { parties, roots, compared, found: Vec::new() };
        comparison.schemas("", old, new);
        comparison.found.is_empty()
    }

    fn shifted(&mut self, path: &str, shift: Shift, text: &str) {
        let impacts = match shift {
            Shift::Wider => vec![self.parties.readers()],
            Shift::Narrower => vec![self.parties.senders()],
            Shift::Other => self.parties.all().collect(),
        };
        self.found.extend(impacts.into_iter().map(|impact| (path.to_owned(), impact, text.to_owned())));
    }
}

/// The schemas in a list, or by pattern.
fn parts(value: &Value) -> Vec<&Value> {
    let by_pattern = value.as_object().into_iter().flat_map(Map::values);
    value.as_array().into_iter().flatten().chain(by_pattern).collect()
}

/// Whether there is a part in the one for each in the other.
fn are_alike(was: &Value, is: &Value) -> bool {
    let patterns = |value: &Value| value.as_object().map(|parts| parts.keys().cloned().collect::<Vec<_>>());
    was.is_array() == is.is_array() && parts(was).len() == parts(is).len() && patterns(was) == patterns(is)
}

fn alternatives(schema: &Value) -> Option<Vec<&Value>> {
    let alternatives = schema["oneOf"].as_array().or(schema["anyOf"].as_array())?;
    Some(alternatives.iter().collect())
}

/// A reference that has a description beside it is wrapped.
fn unwrapped(schema: &Value) -> &Value {
    match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) if schema.get("properties").is_none() => only,
        _ => schema,
    }
}

/// What a reference leads to; itself, if it is none or leads nowhere.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let among = |name: &str| schema[name].as_array().into_iter().flatten().any(|one| is_null(&one["type"]));
    schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null)) || among("anyOf") || among("oneOf")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn changed(keyword: &str, was: &Value, is: &Value) -> String {
    format!("{} was {was}, now {is}", keyword.replace('_', " "))
}
