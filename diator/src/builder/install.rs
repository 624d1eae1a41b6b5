use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use crate::container::{Container, Lifetime, TypeMap};
use crate::handler::{AnyValue, RequestFunctions};
use crate::mediator::{EventEntry, EventHandlers, Factory, Handler, RequestRoute};
use crate::message::MessageInfo;
use crate::middleware::{Layer, Pipeline};
use crate::registry::{HandlerDescriptor, HandlerFunctions, HandlerRole, Problem, ProblemKind};
use crate::wiring::Replaced;

/// Takes handlers into the maps of a mediator that is being built.
pub(crate) struct Install<'b> {
    container: &'b dyn Container,
    layers: &'b [Layer],
    observed: bool,
    maps: Maps,
    // One handler type may handle several messages, and is built once for them all.
    built: HashMap<TypeId, Option<Arc<AnyValue>>>,
    problems: Vec<Problem>,
}

/// How a mediator finds handlers.
#[derive(Default)]
pub(super) struct Maps {
    pub(super) routes: TypeMap<Arc<RequestRoute>>,
    #[cfg(feature = "in-place")]
    pub(super) slots: Vec<Option<Arc<RequestRoute>>>,
    pub(super) events: TypeMap<EventHandlers>,
}

impl<'b> Install<'b> {
    pub(super) fn new(container: &'b dyn Container, layers: &'b [Layer], observed: bool) -> Self {
        Self { container, layers, observed, maps: Maps::default(), built: HashMap::new(), problems: Vec::new() }
    }

    pub(super) fn take_in<T>(&mut self, handler: &HandlerDescriptor, replacements: &HashMap<TypeId, T>) {
        match &handler.functions {
            HandlerFunctions::Request(_) if replacements.contains_key(&handler.message_id()) => {}
            HandlerFunctions::Request(functions) => self.request(handler, *functions),
            HandlerFunctions::Event(_) => self.event(handler),
        }
    }

    pub(super) fn finish(mut self, problems: &mut Vec<Problem>) -> Maps {
        problems.append(&mut self.problems);
        for route in self.maps.events.values_mut() {
            // Stable, and the handlers come sorted by name: the order does not depend on the linker.
            route.handlers.sort_by_key(|entry| entry.order);
            route.after_commit.sort_by_key(|entry| entry.order);
        }
        self.maps
    }

    fn request(&mut self, descriptor: &HandlerDescriptor, functions: RequestFunctions) {
        let handler = match self.built_once(descriptor) {
            Some(built) => Handler::Built(built),
            None => Handler::ForMessage(Factory::of(descriptor)),
        };
        let pipeline = Pipeline::new(descriptor.info(), self.layers);
        let route = Arc::new(RequestRoute { handler, pipeline, functions });
        #[cfg(feature = "in-place")]
        if let Some(slot) = functions.slot {
            crate::mediator::place(&mut self.maps.slots, slot(), route.clone());
        }
        self.maps.routes.insert(descriptor.message_id(), route);
    }

    /// Takes a handler in that is given as it is.
    pub(super) fn replacement(&mut self, replaced: &Replaced, handler: Arc<AnyValue>, functions: RequestFunctions) {
        let info = MessageInfo::of_request(&replaced.request, replaced.handler, None);
        let pipeline = Pipeline::new(info, self.layers);
        let route = RequestRoute { handler: Handler::Built(handler), pipeline, functions };
        self.maps.routes.insert((replaced.request.id)(), Arc::new(route));
    }

    fn event(&mut self, descriptor: &HandlerDescriptor) {
        let HandlerRole::Event { order, after_commit } = descriptor.role() else { return };
        let HandlerFunctions::Event(attach) = descriptor.functions else { return };
        let built = self.built_once(descriptor);
        let pipeline = Pipeline::new(descriptor.info(), self.layers);
        let entry = EventEntry {
            direct: built.is_some() && pipeline.layers.is_empty() && !self.observed,
            order,
            id: descriptor.id(),
            name: descriptor.handler(),
            pipeline,
            factory: built.is_none().then(|| Factory::of(descriptor)),
            handler: attach(built),
        };
        let route = self.maps.events.entry(descriptor.message_id()).or_default();
        route.decode = descriptor.handled_event().and_then(|event| event.decode);
        match after_commit {
            true => route.after_commit.push(entry),
            false => route.handlers.push(entry),
        }
    }

    /// The handler, if it needs nothing but singletons; what goes wrong becomes a problem.
    fn built_once(&mut self, descriptor: &HandlerDescriptor) -> Option<Arc<AnyValue>> {
        if let Some(built) = self.built.get(&descriptor.handler_id()) {
            return built.clone();
        }
        let built = needs_only_singletons(self.container, descriptor).then(|| self.build(descriptor)).flatten();
        self.built.insert(descriptor.handler_id(), built.clone());
        built
    }

    fn build(&mut self, descriptor: &HandlerDescriptor) -> Option<Arc<AnyValue>> {
        Factory::of(descriptor)
            .build_once(self.container)
            .map_err(|why| {
                self.problems.push(Problem::new(
                    ProblemKind::Container,
                    descriptor.location(),
                    format!("the handler `{}` cannot be built: {why}", descriptor.handler()),
                    "correct that service: such a handler is built together with the mediator",
                ));
            })
            .ok()
    }
}

fn needs_only_singletons(container: &dyn Container, descriptor: &HandlerDescriptor) -> bool {
    descriptor.dependencies().iter().all(|dependency| match container.lifetime(&dependency.key) {
        Lifetime::Singleton => true,
        Lifetime::Missing => dependency.optional,
        _ => false,
    })
}
