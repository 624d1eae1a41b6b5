use std::fmt;

use super::clean::clean;
use super::labels::{KINDS, Labels, words};
use super::phrases::{Place, TO_OBSERVE};
use super::{Catalog, EventEntry, HandlerEntry, Source, phrases};
use diator::middleware::MessageKind;
use diator::registry::short_name;

/// A line of the table; only the first line of a message names it.
struct Row {
    message: String,
    handler: String,
    causes: String,
    source: String,
}

/// The catalog as a table: one line for each handler, and for each message that has none.
impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = Labels::of(self);
        let sections = KINDS.map(|kind| (kind, self.rows(kind, &labels)));
        let heading = Row::of(["MESSAGE", "HANDLED BY", "CAUSES", "  WHERE"]);
        let rows = || sections.iter().flat_map(|(_, rows)| rows).chain([&heading]);
        let widths = [
            rows().map(|row| row.message.chars().count()).max().unwrap_or_default() + 2,
            rows().map(|row| row.handler.chars().count()).max().unwrap_or_default(),
            rows().map(|row| row.causes.chars().count()).max().unwrap_or_default(),
        ];
        heading.write("", widths, f)?;
        for (kind, rows) in sections.iter().filter(|(_, rows)| !rows.is_empty()) {
            writeln!(f, "\n{}", words(*kind)[1])?;
            rows.iter().try_for_each(|row| row.write("  ", widths, f))?;
        }
        if !self.is_observed() {
            write!(f, "\nwhat causes what was not observed\n{TO_OBSERVE}")?;
        }
        self.write_middleware(f)?;
        self.write_broker(f)?;
        self.write_endpoints(f)?;
        self.write_notes(&labels, f)
    }
}

impl Catalog {
    fn rows(&self, kind: MessageKind, labels: &Labels) -> Vec<Row> {
        let requests = self.requests.iter().filter(|request| request.kind == kind).flat_map(|request| {
            let nobody = if request.remote { "(another process)" } else { "- nobody -" };
            self.rows_of(labels.label(&request.type_name), &request.handlers, nobody, request.source.as_ref(), labels)
        });
        let events =
            self.events.iter().filter(|event| event.kind == kind).flat_map(|event| self.rows_of_event(event, labels));
        requests.chain(events).collect()
    }

    fn rows_of_event(&self, event: &EventEntry, labels: &Labels) -> Vec<Row> {
        let label = labels.label(&event.type_name);
        let message = if label == event.name { label } else { format!("{label} as \"{}\"", clean(&event.name)) };
        let leaves = if event.is_on_the_wire() { self.leaves(event) } else { "- nobody -".to_owned() };
        let mut rows = self.rows_of(message, &event.handlers, &leaves, event.source.as_ref(), labels);
        if event.arrives() {
            for (row, handler) in rows.iter_mut().zip(&event.handlers) {
                row.handler += &self.arrives_through(event, handler);
            }
            if self.is_sent(event) {
                rows.push(Row::of(["", &leaves, "", &Place(event.source.as_ref()).to_string()]));
            }
        }
        rows
    }

    /// How what a handler handles comes to it.
    fn arrives_through(&self, event: &EventEntry, handler: &HandlerEntry) -> String {
        let endpoints: Vec<_> = self.endpoints_of(event, handler).collect();
        match endpoints.is_empty() {
            true if self.endpoints.is_empty() => " (from the broker)".to_owned(),
            true => " (in no endpoint)".to_owned(),
            false => format!(" (endpoint {})", endpoints.join(", ")),
        }
    }

    /// Where an event for the broker goes, or that it does not.
    fn leaves(&self, event: &EventEntry) -> String {
        if !self.is_sent(event) {
            return "- no handler emits it -".to_owned();
        }
        let observed = self.is_caused(&event.type_name) || !self.is_observed();
        let observed = if observed { "" } else { "; was not observed" };
        format!("(to {}{}{observed})", phrases::broker(self), phrases::topic(event))
    }

    fn rows_of(
        &self,
        message: String,
        handlers: &[HandlerEntry],
        nobody: &str,
        source: Option<&Source>,
        labels: &Labels,
    ) -> Vec<Row> {
        if handlers.is_empty() {
            let (handler, source) = (nobody.to_owned(), Place(source).to_string());
            return vec![Row { message, handler, causes: String::new(), source }];
        }
        let names = std::iter::once(message).chain(std::iter::repeat(String::new()));
        let row = |(message, handler): (String, &HandlerEntry)| Row {
            message,
            handler: labels.label(&handler.type_name) + if handler.after_commit { " (after commit)" } else { "" },
            causes: self.causes_of(handler, labels),
            source: Place(handler.source.as_ref()).to_string(),
        };
        names.zip(handlers).map(row).collect()
    }

    /// A dash for nothing, so that it differs from what is not known.
    fn causes_of(&self, handler: &HandlerEntry, labels: &Labels) -> String {
        match handler.causes.as_deref() {
            // Said once, below.
            None if !self.is_observed() => String::new(),
            None => "(not observed)".to_owned(),
            Some([]) => "-".to_owned(),
            Some(causes) => causes.iter().map(|name| labels.label(name)).collect::<Vec<_>>().join(", "),
        }
    }

    fn write_middleware(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.middleware.is_empty() {
            writeln!(f, "\nmiddleware, outermost first")?;
        }
        let names: Vec<_> = self.middleware.iter().map(|one| clean(&short_name(&one.name))).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        let mut middleware = self.middleware.iter().zip(names);
        middleware.try_for_each(|(one, name)| writeln!(f, "  {name:width$}{}", Place(one.source.as_ref())))
    }

    fn write_broker(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(broker) = &self.broker else { return Ok(()) };
        let name = broker.type_name.as_deref().map_or_else(|| "none".to_owned(), |name| clean(&short_name(name)));
        let outbox = if broker.outbox { ", through an outbox" } else { "" };
        let (guarantees, place) = (broker.guarantees, Place(broker.source.as_ref()));
        writeln!(f, "\nbroker\n  {name}{outbox}: {guarantees}; writes {}{place}", broker.content_type)
    }
}

impl Catalog {
    fn write_endpoints(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.endpoints.is_empty() {
            writeln!(f, "\nendpoints")?;
        }
        for endpoint in &self.endpoints {
            let (name, place) = (clean(&endpoint.name), Place(endpoint.source.as_ref()));
            writeln!(f, "  {name}: reads {}; {}{place}", endpoint.reads(), endpoint.handles())?;
            writeln!(f, "    {}", clean(&endpoint.errors))?;
        }
        Ok(())
    }

    /// Of what was not observed to be emitted, the lines say enough.
    fn write_notes(&self, labels: &Labels, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notes: Vec<_> =
            self.events.iter().filter_map(|event| self.note_of_what_is_emitted(event, labels)).collect();
        if !notes.is_empty() {
            writeln!(f, "\nnotes")?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

impl Row {
    fn of([message, handler, causes, source]: [&str; 4]) -> Self {
        let [message, handler, causes, source] = [message, handler, causes, source].map(str::to_owned);
        Self { message, handler, causes, source }
    }

    fn write(&self, indent: &str, [message, handler, causes]: [usize; 3], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = format!("{indent}{}", self.message);
        let line = format!("{first:message$}  {:handler$}  {:causes$}{}", self.handler, self.causes, self.source);
        writeln!(f, "{}", line.trim_end())
    }
}
