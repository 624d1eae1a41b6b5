use std::any::TypeId;
use std::collections::HashMap;

use super::{BrokerEntry, Catalog, DependencyEntry, EventEntry, HandlerEntry, MiddlewareEntry, RequestEntry, Source};
use crate::broker::{Format, MessageBroker};
use crate::container::{Container, Lifetime};
use crate::event::EventDescriptor;
use crate::middleware::{Layer, MessageInfo, MessageKind};
use crate::registry::{HandlerDescriptor, HandlerRole, HandlerSet, Location, MessageDescriptor};
use crate::request::{Mark, RequestDescriptor};

/// What a mediator is built from, as far as the catalog tells of it.
pub(crate) struct Wiring {
    pub(crate) from_registry: bool,
    pub(crate) handlers: Vec<HandlerDescriptor>,
    pub(crate) replaced: Vec<Replaced>,
    pub(crate) remote: Vec<String>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) broker: Option<Added>,
}

/// What was given to the builder, and where.
#[derive(Clone, Copy)]
pub(crate) struct Added {
    pub(crate) type_name: &'static str,
    pub(crate) location: Location,
}

/// A request whose own handler another one replaces.
#[derive(Clone, Copy)]
pub(crate) struct Replaced {
    pub(crate) request: RequestDescriptor,
    pub(crate) handler: &'static str,
}

impl Wiring {
    pub(super) fn linked() -> Self {
        Self {
            from_registry: true,
            handlers: inventory::iter::<HandlerSet>.into_iter().flat_map(|set| set.0).copied().collect(),
            replaced: Vec::new(),
            remote: Vec::new(),
            layers: Vec::new(),
            broker: None,
        }
    }

    pub(super) fn catalog_of_registry(&self) -> Catalog {
        self.messages(None)
    }

    pub(crate) fn catalog(
        &self,
        container: &dyn Container,
        broker: Option<&dyn MessageBroker>,
        format: &Format,
        outbox: bool,
    ) -> Catalog {
        let entry = || BrokerEntry {
            type_name: self.broker.map(|broker| broker.type_name),
            guarantees: broker.map(MessageBroker::guarantees).unwrap_or_default(),
            content_type: format.content_type(),
            cloud_events_source: format.source().map(str::to_owned),
            outbox,
            source: self.broker.and_then(|broker| Source::of(broker.location)),
        };
        let broker = (broker.is_some() || outbox).then(entry);
        Catalog { broker, ..self.messages(Some(container)) }
    }

    fn messages(&self, container: Option<&dyn Container>) -> Catalog {
        let (mut requests, mut events) = (self.requests(), self.events());
        for handler in &self.handlers {
            let id = handler.message_id();
            let handlers = match handler.role() {
                HandlerRole::Request if self.replaces(id) => continue,
                HandlerRole::Request => requests.get_mut(&id).map(|request| &mut request.handlers),
                HandlerRole::Event { .. } => events.get_mut(&id).map(|event| &mut event.handlers),
            };
            handlers.into_iter().for_each(|handlers| handlers.push(self.handler(handler, container)));
        }
        for replaced in &self.replaced {
            if let Some(request) = requests.get_mut(&(replaced.request.id)()) {
                request.handlers.push(self.replacement(replaced));
            }
        }
        let middleware =
            self.layers.iter().map(|layer| MiddlewareEntry { name: layer.name, source: Source::of(layer.location) });
        let mut catalog = Catalog {
            requests: requests.into_values().collect(),
            events: events.into_values().collect(),
            middleware: middleware.collect(),
            broker: None,
        };
        catalog.sort();
        catalog
    }

    /// The requests that the registry, a handler or a replacement knows.
    fn requests(&self) -> HashMap<TypeId, RequestEntry> {
        let linked = inventory::iter::<RequestDescriptor>.into_iter().filter(|_| self.from_registry);
        let declared = linked.map(|request| (request, Source::of(request.location)));
        // Handlers and replacements know only their own place.
        let handled = self.handlers.iter().filter_map(|handler| match &handler.message {
            MessageDescriptor::Request(request) => Some(request),
            MessageDescriptor::Event(_) => None,
        });
        let known =
            handled.chain(self.replaced.iter().map(|replaced| &replaced.request)).map(|request| (request, None));
        let mut requests = HashMap::new();
        for (request, source) in declared.chain(known) {
            requests.entry((request.id)()).or_insert_with(|| self.request(request, source));
        }
        requests
    }

    fn request(&self, request: &RequestDescriptor, source: Option<Source>) -> RequestEntry {
        let remote = source.as_ref().is_some_and(|source| self.remote.iter().any(|name| name == source.crate_name));
        RequestEntry { remote, ..request_of(request, source) }
    }

    /// The events that the registry or a handler knows.
    fn events(&self) -> HashMap<TypeId, EventEntry> {
        let linked = inventory::iter::<EventDescriptor>.into_iter().filter(|_| self.from_registry);
        let declared = linked.map(|event| (event, Source::of(event.location)));
        let handled = self.handlers.iter().filter_map(HandlerDescriptor::handled_event).map(|event| (event, None));
        let mut events = HashMap::new();
        for (event, source) in declared.chain(handled) {
            events.entry((event.id)()).or_insert_with(|| event_of(event, source));
        }
        events
    }

    fn handler(&self, handler: &HandlerDescriptor, container: Option<&dyn Container>) -> HandlerEntry {
        let (order, after_commit) = match handler.role() {
            HandlerRole::Request => (0, false),
            HandlerRole::Event { order, after_commit } => (order, after_commit),
        };
        let dependencies = handler.dependencies().iter().map(|dependency| DependencyEntry {
            field: dependency.field,
            type_name: dependency.key.name(),
            lifetime: container.map_or(Lifetime::Unknown, |container| container.lifetime(&dependency.key)),
            optional: dependency.optional,
        });
        HandlerEntry {
            type_name: handler.handler(),
            order,
            after_commit,
            dependencies: dependencies.collect(),
            middleware: self.applying(&MessageInfo::of(handler)),
            causes: None,
            source: Source::of(handler.location()),
        }
    }

    fn replacement(&self, replaced: &Replaced) -> HandlerEntry {
        HandlerEntry {
            type_name: replaced.handler,
            order: 0,
            after_commit: false,
            dependencies: Vec::new(),
            middleware: self.applying(&MessageInfo::of_request(&replaced.request, replaced.handler, None)),
            causes: None,
            source: None,
        }
    }

    fn replaces(&self, request: TypeId) -> bool {
        self.replaced.iter().any(|replaced| (replaced.request.id)() == request)
    }

    fn applying(&self, info: &MessageInfo) -> Vec<&'static str> {
        self.layers.iter().filter(|layer| layer.middleware.applies_to(info)).map(|layer| layer.name).collect()
    }
}

fn texts(marks: &[Mark]) -> Vec<&'static str> {
    marks.iter().map(|mark| mark.text).collect()
}

pub(super) fn declared_request(request: &RequestDescriptor) -> RequestEntry {
    request_of(request, Source::of(request.location))
}

pub(super) fn declared_event(event: &EventDescriptor) -> EventEntry {
    event_of(event, Source::of(event.location))
}

pub(super) fn request_of(request: &RequestDescriptor, source: Option<Source>) -> RequestEntry {
    RequestEntry {
        name: request.message,
        type_name: (request.name)(),
        kind: request.kind.into(),
        response: (request.response)(),
        error: (request.error)(),
        idempotent: request.idempotent,
        marks: texts(request.marks),
        remote: false,
        source,
        handlers: Vec::new(),
    }
}

pub(super) fn event_of(event: &EventDescriptor, source: Option<Source>) -> EventEntry {
    EventEntry {
        name: event.name,
        type_name: (event.type_name)(),
        kind: MessageKind::of_event(event.message_type),
        topic: event.topic,
        key: event.key,
        aliases: event.aliases.to_vec(),
        must_be_handled: event.must_be_handled,
        marks: texts(event.marks),
        #[cfg(feature = "asyncapi")]
        schema: event.schema.map(super::schema::written),
        #[cfg(feature = "asyncapi")]
        schema_read: event.schema.map(super::schema::read),
        #[cfg(not(feature = "asyncapi"))]
        schema: None,
        #[cfg(not(feature = "asyncapi"))]
        schema_read: None,
        source,
        handlers: Vec::new(),
    }
}

impl Catalog {
    /// The linker decides on the order of the registry; nothing that is shown may depend on it.
    pub(super) fn sort(&mut self) {
        let Self { requests, events, .. } = self;
        requests.sort_by_key(|request| (request.kind, request.name, request.type_name, request.source.clone()));
        events.sort_by_key(|event| (event.kind, event.name, event.type_name, event.source.clone()));
        let of_requests = requests.iter_mut().map(|request| &mut request.handlers);
        for handlers in of_requests.chain(events.iter_mut().map(|event| &mut event.handlers)) {
            handlers.sort_by_key(|handler| {
                (handler.after_commit, handler.order, handler.type_name, handler.source.clone())
            });
        }
    }
}
