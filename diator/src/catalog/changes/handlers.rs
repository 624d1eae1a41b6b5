use serde_json::Value;

use super::compare::{changed, differing, list_of, note, text};
use super::{Change, Impact};

/// The middleware that came or went: told once, and not again of each handler that it wraps.
pub(super) struct Middleware<'a> {
    gone: Vec<&'a Value>,
    new: Vec<&'a Value>,
}

impl<'a> Middleware<'a> {
    pub(super) fn of(old: &'a Value, new: &'a Value) -> Self {
        let names = |catalog: &'a Value| -> Vec<&'a Value> {
            list_of(&catalog["middleware"]).into_iter().map(|one| &one["name"]).collect()
        };
        let (was, is) = (names(old), names(new));
        Self {
            gone: was.iter().copied().filter(|name| !is.contains(name)).collect(),
            new: is.iter().copied().filter(|name| !was.contains(name)).collect(),
        }
    }

    pub(super) fn tell(&self, changes: &mut Vec<Change>) {
        let gone = self.gone.iter().map(|name| format!("the middleware {name} is gone"));
        let new = self.new.iter().map(|name| format!("the middleware {name} is new"));
        gone.chain(new).for_each(|change| note(changes, Impact::Nobody, &change));
    }

    /// Whether nothing differs but what was told.
    fn explains(&self, was: &Value, is: &Value) -> bool {
        let was = list_of(was).into_iter().filter(|name| !self.gone.contains(name));
        was.eq(list_of(is).into_iter().filter(|name| !self.new.contains(name)))
    }
}

/// The types of what the handlers of a catalog cause.
pub(super) fn caused(catalog: &Value) -> Vec<&Value> {
    all(catalog).flat_map(|handler| list_of(&handler["causes"])).collect()
}

/// Whether a handler that caused it is still there, and was not observed this time.
pub(super) fn is_unobserved_cause(old: &Value, new: &Value, message: &Value) -> bool {
    let unobserved: Vec<_> = all(new).filter(|handler| handler["causes"].is_null()).map(|it| &it["type"]).collect();
    let causing = all(old).filter(|handler| list_of(&handler["causes"]).contains(&message));
    causing.map(|handler| &handler["type"]).any(|handler| unobserved.contains(&handler))
}

fn all(catalog: &Value) -> impl Iterator<Item = &Value> {
    let messages = ["requests", "events"].into_iter().flat_map(|list| list_of(&catalog[list]));
    messages.flat_map(|message| list_of(&message["handlers"]))
}

pub(super) fn compare(title: &str, old: &Value, new: &Value, middleware: &Middleware<'_>, changes: &mut Vec<Change>) {
    let is_request = old.get("response").is_some();
    let (was, mut is) = (list_of(&old["handlers"]), list_of(&new["handlers"]));
    let impact = if is_request && is.is_empty() && new["remote"] != true { Impact::Senders } else { Impact::Nobody };
    for handler in was {
        let name = text(handler, "type");
        match is.iter().position(|other| other["type"] == handler["type"]) {
            Some(place) => {
                one(&format!("{title}: its handler `{name}`"), handler, is.remove(place), middleware, changes);
            }
            None => note(changes, impact, &format!("{title}: it has lost its handler `{name}`")),
        }
    }
    for handler in is {
        let name = text(handler, "type");
        note(changes, Impact::Nobody, &format!("{title}: its handler `{name}` is new"));
    }
}

fn one(title: &str, old: &Value, new: &Value, middleware: &Middleware<'_>, changes: &mut Vec<Change>) {
    for (field, was, is) in differing(old, new) {
        let texts = match field {
            "middleware" if middleware.explains(was, is) => continue,
            "dependencies" => needs(was, is),
            "causes" if was.is_null() => vec!["what it causes is now observed".to_owned()],
            "causes" if is.is_null() => vec!["what it causes is no longer observed".to_owned()],
            "causes" => causes(was, is),
            _ => vec![changed(field, was, is)],
        };
        texts.iter().for_each(|text| note(changes, Impact::Nobody, &format!("{title}: {text}")));
    }
}

fn causes(was: &Value, is: &Value) -> Vec<String> {
    let (was, is) = (list_of(was), list_of(is));
    let lost = was.iter().filter(|cause| !is.contains(cause)).map(|cause| format!("it no longer causes {cause}"));
    let new = is.iter().filter(|cause| !was.contains(cause)).map(|cause| format!("it now causes {cause}"));
    lost.chain(new).collect()
}

/// What is asked for by fields that came, went or changed.
fn needs(was: &Value, is: &Value) -> Vec<String> {
    let (was, is) = (list_of(was), list_of(is));
    let show = |need: &Value| {
        let optional = if need["optional"] == true { ", optional" } else { "" };
        format!("{} ({}{optional})", text(need, "type"), text(need, "lifetime"))
    };
    let same_field =
        |needs: &[&Value], need: &Value| needs.iter().find(|one| one["field"] == need["field"]).copied().cloned();
    let lost = was.iter().filter_map(|need| match same_field(&is, need) {
        None => Some(format!("it no longer needs {}", show(need))),
        Some(now) if show(&now) == show(need) => None,
        Some(now) => Some(format!("it needed {}, now {}", show(need), show(&now))),
    });
    let new =
        is.iter().filter(|need| same_field(&was, need).is_none()).map(|need| format!("it now needs {}", show(need)));
    lost.chain(new).collect()
}
