use std::collections::HashSet;
use std::fmt::Write;

use super::clean::clean;
use super::labels::{Labels, words};
use super::mermaid::Message;
use super::{Catalog, EventEntry, HandlerEntry, phrases};

/// What the handlers of a message cause, and what that causes, as a tree: one line for each, indented.
pub(super) fn consequences(catalog: &Catalog, labels: &Labels, message: &str, handlers: &[HandlerEntry]) -> String {
    let messages = catalog.messages();
    let mut tree = Tree { catalog, messages: &messages, labels, told: HashSet::from([message]), text: String::new() };
    match handlers {
        [one] => tree.caused_by(one, "    "),
        several => tree.each_of(several, "    "),
    }
    tree.text
}

struct Tree<'a> {
    catalog: &'a Catalog,
    messages: &'a [Message<'a>],
    labels: &'a Labels,
    /// What causes the same again is told once: there may be circles, and many ways to one message.
    told: HashSet<&'a str>,
    text: String,
}

impl<'a> Tree<'a> {
    /// Who causes what has to be told where there are several handlers.
    fn each_of(&mut self, handlers: &'a [HandlerEntry], indent: &str) {
        for handler in handlers {
            _ = writeln!(self.text, "{indent}-> {}", self.name(handler));
            self.caused_by(handler, &format!("{indent}   "));
        }
    }

    /// Requests first, and those of a kind by name: in which order they happen, nobody has noted.
    fn caused_by(&mut self, handler: &'a HandlerEntry, indent: &str) {
        let types: HashSet<_> = handler.causes().collect();
        let mut causes: Vec<_> = self.messages.iter().filter(|message| types.contains(message.type_name)).collect();
        causes.sort_by_cached_key(|message| (message.kind, self.labels.label(message.type_name)));
        causes.into_iter().for_each(|cause| self.cause(cause, indent));
    }

    fn cause(&mut self, cause: &Message<'a>, indent: &str) {
        let (kind, label) = (words(cause.kind)[0], self.labels.label(cause.type_name));
        _ = write!(self.text, "{indent}{kind} {label}");
        // What arrives from the broker is another message's story.
        let event = self.catalog.events.iter().find(|event| event.type_name == cause.type_name);
        if let Some(event) = event.filter(|event| event.is_on_the_wire()) {
            let broker = phrases::broker(self.catalog);
            _ = writeln!(self.text, " -> {broker}{}{}", renamed(event, &label), phrases::topic(event));
            return;
        }
        let again =
            cause.handlers.iter().any(|one| one.causes().next().is_some()) && !self.told.insert(cause.type_name);
        let again = if again { " (see above)" } else { "" };
        match cause.handlers {
            [] => _ = writeln!(self.text, " -> {}", self.nobody(cause.type_name)),
            [one] => _ = writeln!(self.text, " -> {}{again}", self.name(one)),
            _ => _ = writeln!(self.text, "{again}"),
        }
        let indent = format!("{indent}  ");
        match cause.handlers {
            _ if !again.is_empty() => {}
            [one] => self.caused_by(one, &indent),
            several => self.each_of(several, &indent),
        }
    }

    fn nobody(&self, request: &str) -> &'static str {
        let remote = self.catalog.requests.iter().any(|known| known.type_name == request && known.remote);
        if remote { "another process" } else { "nobody" }
    }

    fn name(&self, handler: &HandlerEntry) -> String {
        let when = if handler.after_commit { " (after the commit)" } else { "" };
        let observed = if handler.causes.is_none() { " (was not observed)" } else { "" };
        format!("{}{when}{observed}", self.labels.label(&handler.type_name))
    }
}

fn renamed(event: &EventEntry, label: &str) -> String {
    if event.name == label { String::new() } else { format!(" as \"{}\"", clean(&event.name)) }
}
