use std::collections::BTreeSet;
use std::fmt;

use super::clean::clean;
use super::consequences::consequences;
use super::labels::{Labels, words};
use super::notes::ON_ARRIVAL;
use super::phrases::Place;
use super::{Catalog, EndpointEntry, EventEntry, HandlerEntry, RequestEntry, Source, phrases, shape};
use diator::registry::short_name;

/// One message in full: its handlers, their dependencies, and the consequences; [`Catalog::describe`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(String);

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Catalog {
    /// Describes what has this name: a message, by its type with all, some or nothing of the path, or by a name under
    /// which it is read from the wire; the message of a handler; or an endpoint.
    ///
    /// If several share the name, the description has all of them. `None` if nothing has the name.
    #[must_use]
    pub fn describe(&self, name: &str) -> Option<Description> {
        let writer = Writer { catalog: self, labels: Labels::of(self) };
        let end = format!("::{name}");
        let called =
            |type_name: &str| type_name == name || type_name.ends_with(&end) || writer.is_short(type_name, name);
        let handles = |handlers: &[HandlerEntry]| handlers.iter().any(|handler| called(&handler.type_name));
        let requests = self.requests.iter().filter(|r| called(&r.type_name)).map(|r| writer.request(r));
        let named = |event: &EventEntry| event.name == name || event.aliases.iter().any(|alias| alias == name);
        let events = self.events.iter().filter(|e| named(e) || called(&e.type_name)).map(|e| writer.event(e));
        let mut found: Vec<_> = requests.chain(events).collect();
        if found.is_empty() {
            let requests = self.requests.iter().filter(|r| handles(&r.handlers)).map(|r| writer.request(r));
            found.extend(requests.chain(self.events.iter().filter(|e| handles(&e.handlers)).map(|e| writer.event(e))));
        }
        found.extend(self.endpoints.iter().filter(|one| one.name == name).map(|one| writer.endpoint(one)));
        (!found.is_empty()).then(|| Description(found.join("\n")))
    }

    /// Every name that [`describe`](Self::describe) knows, sorted.
    pub fn names(&self) -> impl Iterator<Item = String> + use<> {
        let types = self.requests.iter().map(|r| &r.type_name).chain(self.events.iter().map(|e| &e.type_name));
        let types = types.chain(self.handlers().map(|handler| &handler.type_name));
        let short = types.map(|name| short_name(name));
        let endpoints = self.endpoints.iter().map(|endpoint| endpoint.name.clone());
        let wire = self.events.iter().flat_map(|event| event.aliases.iter().chain([&event.name]));
        let names: BTreeSet<_> = short.chain(wire.map(|name| (*name).clone())).chain(endpoints).collect();
        names.into_iter()
    }
}

struct Writer<'a> {
    catalog: &'a Catalog,
    labels: Labels,
}

impl Writer<'_> {
    fn is_short(&self, type_name: &str, name: &str) -> bool {
        short_name(type_name) == name || self.labels.label(type_name) == name
    }

    fn request(&self, request: &RequestEntry) -> String {
        let mut text = self.title(words(request.kind)[0], &request.type_name, request.source.as_ref());
        let short = |name| clean(&short_name(name));
        text += &format!("  answers      {}\n", short(&request.response));
        text += &format!("  fails with   {}\n", short(&request.error));
        if request.idempotent {
            text += "  idempotent   it may be handled twice\n";
        }
        text += &marks(&request.marks);
        match &*request.handlers {
            [] if request.remote => text += "  handled by   another process\n",
            [] => text += "  handled by   nobody in this process\n",
            handlers => handlers.iter().for_each(|handler| text += &self.handler("handled by", handler)),
        }
        text + &self.consequences(&request.type_name, &request.handlers)
    }

    fn event(&self, event: &EventEntry) -> String {
        let mut text = self.title(words(event.kind)[0], &event.type_name, event.source.as_ref());
        match event.is_on_the_wire() {
            true => text += &self.wire(event),
            false if event.name != self.labels.label(&event.type_name) => {
                text += &format!("  named        \"{}\"\n", clean(&event.name));
            }
            false => {}
        }
        if event.must_be_handled {
            text += "  required     a handler: `build()` insists on it\n";
        }
        text += &marks(&event.marks);
        for handler in &event.handlers {
            text += &self.handler(if event.is_on_the_wire() { "on arrival" } else { "handled by" }, handler);
            for endpoint in self.catalog.endpoints_of(event, handler) {
                text += &format!("    endpoint   {endpoint}\n");
            }
        }
        if event.arrives() {
            text += &format!("  they run     {ON_ARRIVAL}\n");
        }
        if event.handlers.is_empty() && !event.is_on_the_wire() {
            text += "  handled by   nobody in this process\n";
        }
        let by = self.catalog.causers(&event.type_name, &self.labels);
        match event.is_on_the_wire() && event.handlers.is_empty() && self.catalog.is_observed() {
            _ if !by.is_empty() => text += &format!("  caused by    {}\n", by.join(", ")),
            true => text += "  caused by    no handler that was observed\n",
            false => {}
        }
        text + &self.consequences(&event.type_name, &event.handlers)
    }

    fn title(&self, kind: &str, type_name: &str, source: Option<&Source>) -> String {
        format!("{kind} {}{}\n  type         {}\n", self.labels.label(type_name), Place(source), clean(type_name))
    }

    fn wire(&self, event: &EventEntry) -> String {
        let mut text = format!("  on the wire  \"{}\"", clean(&event.name));
        text += &phrases::topic(event);
        if !event.aliases.is_empty() {
            text += &format!(", also read as {}", clean(&event.aliases.join(", ")));
        }
        if let Some(broker) = self.catalog.broker.as_ref().filter(|_| self.catalog.is_sent(event)) {
            let name = broker.type_name.as_deref().map_or_else(|| "an outbox".to_owned(), short_name);
            text += &format!("\n  goes to      {} as {}", clean(&name), broker.content_type);
            text += &format!("\n               {}", broker.guarantees);
            let envelope = match &broker.cloud_events_source {
                None => "message_type, message_name, message_id, payload { event_id, event_timestamp, its own fields }",
                Some(_) => "a CloudEvent 1.0: specversion, id, source, type, time, …, data { its own fields }",
            };
            text += &format!("\n  written as   {envelope}");
        }
        text += &format!("\n  here         {}\n", self.catalog.here(event));
        if let Some(key) = &event.key {
            text += &format!("  key          `{}`, by which brokers that can keep the order\n", clean(key));
        }
        let shape = self.catalog.shape(event);
        if shape.is_none() {
            text += "  its fields   not known: `#[event(schema)]` tells them\n";
        }
        for (number, line) in shape.into_iter().flat_map(shape::lines).enumerate() {
            let heading = if number == 0 { "its fields" } else { "" };
            text += &format!("  {heading:<11}  {}\n", clean(&line));
        }
        text
    }

    fn endpoint(&self, endpoint: &EndpointEntry) -> String {
        let mut text = format!("endpoint {}{}\n", clean(&endpoint.name), Place(endpoint.source.as_ref()));
        for (heading, line) in endpoint.lines() {
            text += &format!("  {heading:<10}   {line}\n");
        }
        for run in &endpoint.handlers {
            let (event, handler) = (self.labels.label(&run.event), self.labels.label(&run.handler));
            let id = if run.id == run.handler { String::new() } else { format!(", known as {}", clean(&run.id)) };
            text += &format!("  runs         {event} -> {handler}{id}\n");
        }
        text
    }

    fn handler(&self, heading: &str, handler: &HandlerEntry) -> String {
        let place = Place(handler.source.as_ref());
        let when = if handler.after_commit { ", after the commit" } else { "" };
        let order = if handler.order == 0 { String::new() } else { format!(", order {}", handler.order) };
        let mut text = format!("  {heading:<10}   {}{order}{when}{place}\n", self.labels.label(&handler.type_name));
        if let Some(id) = handler.given_id() {
            text += &format!("    known as   {}\n", clean(id));
        }
        for dependency in &handler.dependencies {
            let optional = if dependency.optional { ", optional" } else { "" };
            let service = clean(&short_name(&dependency.type_name));
            text += &format!(
                "    needs      {service} as `{}`, {}{optional}\n",
                clean(&dependency.field),
                dependency.lifetime.as_str()
            );
        }
        if !handler.middleware.is_empty() {
            let names: Vec<_> = handler.middleware.iter().map(|name| clean(&short_name(name))).collect();
            text += &format!("    within     {}\n", names.join(", "));
        }
        text
    }

    fn consequences(&self, message: &str, handlers: &[HandlerEntry]) -> String {
        if handlers.is_empty() {
            return String::new();
        }
        if handlers.iter().all(|handler| handler.causes.is_none()) {
            let who = if self.catalog.is_observed() { "no handler of it" } else { "nothing" };
            return format!("  what happens then is not known: {who} was observed\n{}", phrases::TO_OBSERVE);
        }
        let tree = consequences(self.catalog, &self.labels, message, handlers);
        format!("  what happens then{}", if tree.is_empty() { ": nothing\n".to_owned() } else { format!("\n{tree}") })
    }
}

fn marks(marks: &[String]) -> String {
    if marks.is_empty() { String::new() } else { format!("  marks        {}\n", clean(&marks.join(", "))) }
}
