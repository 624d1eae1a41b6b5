use std::any::TypeId;
use std::collections::HashMap;

use super::{
    WiredBroker, WiredDependency, WiredEvent, WiredHandler, WiredMessage, WiredMiddleware, WiredRequest, Wiring,
};
use crate::broker::{Format, MessageBroker};
use crate::container::{Container, Lifetime};
use crate::event::EventDescriptor;
use crate::location::Location;
use crate::message::{MessageDescriptor, MessageInfo, MessageKind};
use crate::middleware::Layer;
use crate::registry::{HandlerDescriptor, HandlerRole, HandlerSet};
use crate::request::{Mark, RequestDescriptor};

/// What a mediator is built from, as far as its wiring tells of it.
pub(crate) struct Parts {
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

impl Parts {
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

    pub(super) fn wiring_of_registry(&self) -> Wiring {
        self.messages(None)
    }

    pub(crate) fn wiring(
        &self,
        container: &dyn Container,
        broker: Option<&dyn MessageBroker>,
        format: &Format,
        outbox: bool,
    ) -> Wiring {
        let entry = || WiredBroker {
            type_name: self.broker.map(|broker| broker.type_name),
            guarantees: broker.map(MessageBroker::guarantees).unwrap_or_default(),
            content_type: format.content_type(),
            cloud_events_source: format.source().map(str::to_owned),
            outbox,
            location: self.broker.and_then(|broker| broker.location.known()),
        };
        let broker = (broker.is_some() || outbox).then(entry);
        Wiring { broker, ..self.messages(Some(container)) }
    }

    fn messages(&self, container: Option<&dyn Container>) -> Wiring {
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
            self.layers.iter().map(|layer| WiredMiddleware { name: layer.name, location: layer.location.known() });
        let mut wiring = Wiring {
            requests: requests.into_values().collect(),
            events: events.into_values().collect(),
            middleware: middleware.collect(),
            broker: None,
            endpoints: Vec::new(),
        };
        wiring.sort();
        wiring
    }

    /// The requests that the registry, a handler or a replacement knows.
    fn requests(&self) -> HashMap<TypeId, WiredRequest> {
        let linked = inventory::iter::<RequestDescriptor>.into_iter().filter(|_| self.from_registry);
        let declared = linked.map(|request| (request, request.location.known()));
        // Handlers and replacements know only their own place.
        let handled = self.handlers.iter().filter_map(|handler| match &handler.message {
            MessageDescriptor::Request(request) => Some(request),
            MessageDescriptor::Event(_) => None,
        });
        let known =
            handled.chain(self.replaced.iter().map(|replaced| &replaced.request)).map(|request| (request, None));
        let mut requests = HashMap::new();
        for (request, location) in declared.chain(known) {
            requests.entry((request.id)()).or_insert_with(|| self.request(request, location));
        }
        requests
    }

    fn request(&self, request: &RequestDescriptor, location: Option<Location>) -> WiredRequest {
        let remote = location.is_some_and(|location| self.remote.iter().any(|name| name == location.crate_name()));
        WiredRequest { remote, ..request_of(request, location) }
    }

    /// The events that the registry or a handler knows.
    fn events(&self) -> HashMap<TypeId, WiredEvent> {
        let linked = inventory::iter::<EventDescriptor>.into_iter().filter(|_| self.from_registry);
        let declared = linked.map(|event| (event, event.location.known()));
        let handled = self.handlers.iter().filter_map(HandlerDescriptor::handled_event).map(|event| (event, None));
        let mut events = HashMap::new();
        for (event, location) in declared.chain(handled) {
            events.entry((event.id)()).or_insert_with(|| event_of(event, location));
        }
        events
    }

    fn handler(&self, handler: &HandlerDescriptor, container: Option<&dyn Container>) -> WiredHandler {
        let (order, after_commit) = match handler.role() {
            HandlerRole::Request => (0, false),
            HandlerRole::Event { order, after_commit } => (order, after_commit),
        };
        let dependencies = handler.dependencies().iter().map(|dependency| WiredDependency {
            field: dependency.field,
            type_name: dependency.key.name(),
            lifetime: container.map_or(Lifetime::Unknown, |container| container.lifetime(&dependency.key)),
            optional: dependency.optional,
        });
        WiredHandler {
            type_name: handler.handler(),
            id: handler.id().as_str(),
            order,
            after_commit,
            dependencies: dependencies.collect(),
            middleware: self.applying(&handler.info()),
            location: handler.location().known(),
        }
    }

    fn replacement(&self, replaced: &Replaced) -> WiredHandler {
        WiredHandler {
            type_name: replaced.handler,
            id: replaced.handler,
            order: 0,
            after_commit: false,
            dependencies: Vec::new(),
            middleware: self.applying(&MessageInfo::of_request(&replaced.request, replaced.handler, None)),
            location: None,
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

fn request_of(request: &RequestDescriptor, location: Option<Location>) -> WiredRequest {
    WiredRequest {
        name: request.message,
        type_name: (request.name)(),
        kind: request.kind.into(),
        response: (request.response)(),
        error: (request.error)(),
        idempotent: request.idempotent,
        marks: texts(request.marks),
        remote: false,
        location,
        handlers: Vec::new(),
    }
}

fn event_of(event: &EventDescriptor, location: Option<Location>) -> WiredEvent {
    WiredEvent {
        name: event.name,
        type_name: (event.type_name)(),
        kind: MessageKind::of_event(event.message_type),
        topic: event.topic,
        key: event.key,
        aliases: event.aliases.to_vec(),
        must_be_handled: event.must_be_handled,
        marks: texts(event.marks),
        schema: event.schema,
        location,
        handlers: Vec::new(),
    }
}

impl MessageDescriptor {
    /// The message as those who send or emit it know it: without handlers, and without its place.
    pub(crate) fn wired(&self) -> WiredMessage {
        match self {
            Self::Request(request) => WiredMessage::Request(request_of(request, None)),
            Self::Event(event) => WiredMessage::Event(event_of(event, None)),
        }
    }
}

impl Wiring {
    /// The linker decides on the order of the registry; nothing that is shown may depend on it.
    fn sort(&mut self) {
        let Self { requests, events, .. } = self;
        requests.sort_by_key(|request| (request.kind, request.name, request.type_name, request.location));
        events.sort_by_key(|event| (event.kind, event.name, event.type_name, event.location));
        let of_requests = requests.iter_mut().map(|request| &mut request.handlers);
        for handlers in of_requests.chain(events.iter_mut().map(|event| &mut event.handlers)) {
            handlers.sort_by_key(|handler| (handler.after_commit, handler.order, handler.type_name, handler.location));
        }
    }
}
