use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use super::clean::clean;
use super::ids::Ids;
use super::labels::{Labels, words};
use super::{Catalog, HandlerEntry};
use diator::middleware::MessageKind;

impl Catalog {
    /// Writes a Mermaid flow chart: each message with its handlers, and the messages that they cause.
    ///
    /// Put it into a fenced block with the language `mermaid`.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let labels = Labels::of(self);
        let mut chart = "flowchart LR\n".to_owned();
        let messages = self.messages();
        let ids: HashMap<_, _> = messages.iter().map(|message| (message.type_name, &message.id)).collect();
        for message in &messages {
            let id = &message.id;
            let [open, close] = shape(message.kind);
            let title = format!("{} {}", words(message.kind)[0], labels.label(message.type_name));
            let handlers = message.handlers.iter().map(|handler| {
                labels.label(&handler.type_name) + if handler.after_commit { " (after commit)" } else { "" }
            });
            let lines: Vec<_> = std::iter::once(title).chain(handlers).map(|line| escape(&line)).collect();
            _ = writeln!(chart, "    {id}{open}\"{}\"{close}", lines.join("<br>"));
        }
        if self.events.iter().any(super::EventEntry::is_on_the_wire) {
            _ = writeln!(chart, "    broker[(\"message broker\")]");
        }
        for message in &messages {
            let id = &message.id;
            for target in message.causes().filter_map(|cause| ids.get(cause)) {
                _ = writeln!(chart, "    {id} --> {target}");
            }
            if message.sent {
                _ = writeln!(chart, "    {id} -.-> broker");
            }
            if message.arrives() && self.endpoints.is_empty() {
                _ = writeln!(chart, "    broker -.-> {id}");
            }
        }
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            let node = format!("endpoint_{}", number + 1);
            let name = escape(&format!("endpoint {}", clean(&endpoint.name)));
            _ = writeln!(chart, "    {node}[[\"{name}\"]]\n    broker -.-> {node}");
            let events: BTreeSet<_> = endpoint.handlers.iter().filter_map(|run| ids.get(&*run.event)).collect();
            events.into_iter().for_each(|id| _ = writeln!(chart, "    {node} -.-> {id}"));
        }
        chart
    }

    /// Requests and events alike, in their order.
    pub(super) fn messages(&self) -> Vec<Message<'_>> {
        let mut ids = Ids::default();
        let requests = self.requests.iter().map(|request| Message {
            id: String::new(),
            kind: request.kind,
            type_name: &request.type_name,
            handlers: &request.handlers,
            sent: false,
        });
        let events = self.events.iter().map(|event| Message {
            id: String::new(),
            kind: event.kind,
            type_name: &event.type_name,
            handlers: &event.handlers,
            sent: self.is_sent(event),
        });
        requests.chain(events).map(|message| Message { id: ids.of(message.type_name), ..message }).collect()
    }
}

/// A node of the graph.
pub(super) struct Message<'a> {
    /// What it is called in a chart, and in the address of its place on the page.
    pub(super) id: String,
    pub(super) kind: MessageKind,
    pub(super) type_name: &'a str,
    pub(super) handlers: &'a [HandlerEntry],
    /// Whether it leaves for the broker.
    pub(super) sent: bool,
}

impl<'a> Message<'a> {
    /// Whether it comes from the broker.
    pub(super) fn arrives(&self) -> bool {
        matches!(self.kind, MessageKind::NotificationEvent | MessageKind::EcstEvent) && !self.handlers.is_empty()
    }

    /// What its handlers cause, each once, sorted.
    pub(super) fn causes(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let causes = self.handlers.iter().flat_map(HandlerEntry::causes);
        causes.collect::<BTreeSet<_>>().into_iter()
    }
}

fn shape(kind: MessageKind) -> [&'static str; 2] {
    match kind {
        MessageKind::Command => ["[", "]"],
        MessageKind::Query => ["([", "])"],
        MessageKind::DomainEvent => ["{{", "}}"],
        _ => ["[/", "/]"],
    }
}

/// Mermaid knows no escapes but its entity codes: everything that could mean something becomes one.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c.is_alphanumeric() || matches!(c, ' ' | '_' | ':' | '.' | '-' | '(' | ')' | ',') {
            true => escaped.push(c),
            false => _ = write!(escaped, "#{};", u32::from(c)),
        }
        escaped
    })
}
