use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;

use super::labels::{Labels, clean, words};
use super::{Catalog, EventEntry, HandlerEntry};

/// What the handlers of a message cause, and what that causes, as a tree: one line for each, indented.
pub(super) fn consequences(catalog: &Catalog, labels: &Labels, message: &str, handlers: &[HandlerEntry]) -> String {
    let mut tree = Tree { catalog, labels, told: HashSet::from([message]), text: String::new() };
    tree.branch(handlers, "    ");
    tree.text
}

struct Tree<'a> {
    catalog: &'a Catalog,
    labels: &'a Labels,
    /// What causes the same again is told once: there may be circles, and many ways to one message.
    told: HashSet<&'a str>,
    text: String,
}

impl<'a> Tree<'a> {
    fn branch(&mut self, handlers: &'a [HandlerEntry], indent: &str) {
        let causes: BTreeSet<_> = handlers.iter().flat_map(|handler| handler.causes.iter().copied()).collect();
        for cause in causes {
            let (kind, handlers) = self.message(cause);
            let label = self.labels.label(cause);
            // What arrives from the broker is another message's story.
            let (to, handlers) = match self.catalog.events.iter().find(|event| event.type_name == cause) {
                Some(event) if event.is_on_the_wire() => (on_the_wire(event, &label), &[][..]),
                _ => (self.handled_by(handlers), handlers),
            };
            let leads_on = handlers.iter().any(|handler| !handler.causes.is_empty());
            let again = leads_on && !self.told.insert(cause);
            _ = writeln!(self.text, "{indent}{kind} {label}{to}{}", if again { " (see above)" } else { "" });
            if leads_on && !again {
                self.branch(handlers, &format!("{indent}  "));
            }
        }
    }

    fn handled_by(&self, handlers: &[HandlerEntry]) -> String {
        let name = |handler: &HandlerEntry| {
            let when = if handler.after_commit { " (after the commit)" } else { "" };
            self.labels.label(handler.type_name) + when
        };
        let names: Vec<_> = handlers.iter().map(name).collect();
        if names.is_empty() { names.concat() } else { format!(" -> {}", names.join(", ")) }
    }

    fn message(&self, type_name: &str) -> (&'static str, &'a [HandlerEntry]) {
        let requests =
            self.catalog.requests.iter().map(|request| (request.type_name, request.kind, &*request.handlers));
        let events = self.catalog.events.iter().map(|event| (event.type_name, event.kind, &*event.handlers));
        let found = requests.chain(events).find(|(name, ..)| *name == type_name);
        found.map_or(("message", &[]), |(_, kind, handlers)| (words(kind)[0], handlers))
    }
}

fn on_the_wire(event: &EventEntry, label: &str) -> String {
    let name = if event.name == label { String::new() } else { format!(" as \"{}\"", clean(event.name)) };
    let topic = event.topic.map(|topic| format!(", topic \"{}\"", clean(topic))).unwrap_or_default();
    format!(" -> the broker{name}{topic}")
}
