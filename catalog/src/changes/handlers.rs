use super::change::{Change, Impact, changed, missing_in, note, quoted};
use crate::json::Record;
use crate::{DependencyEntry, HandlerEntry};

/// The middleware that came or went: told once, and not again of each handler that it wraps.
pub(super) struct Middleware<'a> {
    gone: Vec<&'a str>,
    new: Vec<&'a str>,
}

impl<'a> Middleware<'a> {
    pub(super) fn of(old: &'a Record, new: &'a Record) -> Self {
        let names = |catalog: &'a Record| catalog.middleware.iter().map(|one| &*one.name).collect::<Vec<_>>();
        let (was, is) = (names(old), names(new));
        Self {
            gone: was.iter().copied().filter(|name| !is.contains(name)).collect(),
            new: is.iter().copied().filter(|name| !was.contains(name)).collect(),
        }
    }

    pub(super) fn tell(&self, changes: &mut Vec<Change>) {
        let gone = self.gone.iter().map(|name| format!("the middleware {} is gone", quoted(name)));
        let new = self.new.iter().map(|name| format!("the middleware {} is new", quoted(name)));
        gone.chain(new).for_each(|change| note(changes, Impact::Nobody, &change));
    }

    /// Whether nothing differs but what was told.
    fn explains(&self, was: &[String], is: &[String]) -> bool {
        let was = was.iter().filter(|name| !self.gone.contains(&name.as_str()));
        was.eq(is.iter().filter(|name| !self.new.contains(&name.as_str())))
    }
}

/// The types of what the handlers of a catalog cause.
pub(super) fn caused(catalog: &Record) -> impl Iterator<Item = &str> {
    all(catalog).flat_map(HandlerEntry::causes)
}

/// Whether a handler that caused it is still there, and was not observed this time.
pub(super) fn is_unobserved_cause(old: &Record, new: &Record, message: &str) -> bool {
    let mut causing = all(old).filter(|handler| handler.causes().any(|cause| cause == message));
    causing.any(|was| all(new).any(|is| is.type_name == was.type_name && is.causes.is_none()))
}

fn all(catalog: &Record) -> impl Iterator<Item = &HandlerEntry> {
    let of_events = catalog.events.iter().flat_map(|record| &record.event.handlers);
    catalog.requests.iter().flat_map(|request| &request.handlers).chain(of_events)
}

/// Compares the handlers of a message; `lost` is what it means that one is gone.
pub(super) fn compare(
    title: &str,
    [old, new]: [&[HandlerEntry]; 2],
    lost: Impact,
    middleware: &Middleware<'_>,
    changes: &mut Vec<Change>,
) {
    let mut added: Vec<_> = new.iter().collect();
    for was in old {
        let name = was.type_name.escape_debug();
        match added.iter().position(|is| is.type_name == was.type_name) {
            Some(place) => {
                one(&format!("{title}: its handler `{name}`"), was, added.remove(place), middleware, changes);
            }
            None => note(changes, lost, &format!("{title}: it has lost its handler `{name}`")),
        }
    }
    for is in added {
        let name = is.type_name.escape_debug();
        note(changes, Impact::Nobody, &format!("{title}: its handler `{name}` is new"));
    }
}

/// What arrives may come again, to a handler that it knows by its id.
pub(super) fn lost_ids(title: &str, old: &[HandlerEntry], new: &[HandlerEntry], changes: &mut Vec<Change>) {
    // Where no handler is left the event is no longer received, which is told.
    let lost = old.iter().filter(|was| !was.id.is_empty() && !new.iter().any(|is| is.id == was.id));
    for was in lost.filter(|_| !new.is_empty()) {
        let id = was.id.escape_debug();
        note(changes, Impact::UnderWay, &format!("{title}: no handler has the id `{id}` any more"));
    }
}

fn one(title: &str, old: &HandlerEntry, new: &HandlerEntry, middleware: &Middleware<'_>, changes: &mut Vec<Change>) {
    let mut texts = Vec::new();
    if !old.id.is_empty() {
        texts.extend(changed("id", &old.id, &new.id));
    }
    texts.extend(changed("order", &old.order, &new.order));
    texts.extend(changed("after commit", &old.after_commit, &new.after_commit));
    if !middleware.explains(&old.middleware, &new.middleware) {
        texts.extend(changed("middleware", &old.middleware, &new.middleware));
    }
    texts.extend(needs(&old.dependencies, &new.dependencies));
    texts.extend(causes(old.causes.as_deref(), new.causes.as_deref()));
    texts.iter().for_each(|text| note(changes, Impact::Nobody, &format!("{title}: {text}")));
}

fn causes(was: Option<&[String]>, is: Option<&[String]>) -> Vec<String> {
    match (was, is) {
        (None, None) => Vec::new(),
        (None, Some(_)) => vec!["the messages that it causes are now observed".to_owned()],
        (Some(_), None) => vec!["the messages that it causes are no longer observed".to_owned()],
        (Some(was), Some(is)) => {
            let lost = missing_in(was, is).map(|cause| format!("it no longer causes {}", quoted(cause)));
            let new = missing_in(is, was).map(|cause| format!("it now causes {}", quoted(cause)));
            lost.chain(new).collect()
        }
    }
}

/// What is asked for by fields that came, went or changed.
fn needs(was: &[DependencyEntry], is: &[DependencyEntry]) -> Vec<String> {
    let lost = was.iter().filter_map(|need| match same_field(is, need) {
        None => Some(format!("it no longer needs {}", show(need))),
        Some(now) if now == need => None,
        Some(now) => Some(format!("it needed {}, now {}", show(need), show(now))),
    });
    let new = is.iter().filter(|need| same_field(was, need).is_none());
    lost.chain(new.map(|need| format!("it now needs {}", show(need)))).collect()
}

fn same_field<'a>(needs: &'a [DependencyEntry], need: &DependencyEntry) -> Option<&'a DependencyEntry> {
    needs.iter().find(|one| one.field == need.field)
}

fn show(need: &DependencyEntry) -> String {
    let optional = if need.optional { ", optional" } else { "" };
    format!("{} ({}{optional})", need.type_name.escape_debug(), need.lifetime.as_str())
}
