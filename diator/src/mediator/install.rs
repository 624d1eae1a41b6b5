use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::events::{EventEntry, EventRoute, EventTo};
use super::route::{Replacement, Route, RouteTo};
use crate::container::{Container, Lifetime, TypeMap};
use crate::inject::{Inject, ResolveError, Resolver};
use crate::middleware::{Layer, MessageInfo, Pipeline};
use crate::registry::{HandlerDescriptor, HandlerRole, Problem, ProblemKind, SlotIndex};
use crate::wiring::Replaced;
use crate::{Event, EventHandler, Request, RequestHandler};

/// Takes handlers into the maps of a mediator that is being built.
pub(crate) struct Install<'b> {
    container: &'b dyn Container,
    layers: &'b [Layer],
    maps: Maps,
    // One handler type may handle several messages, and is built once for them all.
    built: HashMap<TypeId, Option<Built>>,
    problems: Vec<Problem>,
}

/// How a mediator finds handlers.
#[derive(Default)]
pub(super) struct Maps {
    pub(super) routes: TypeMap<Box<dyn Any + Send + Sync>>,
    pub(super) slots: Vec<Option<Arc<dyn Any + Send + Sync>>>,
    pub(super) events: TypeMap<EventRoute>,
}

impl<'b> Install<'b> {
    pub(super) fn new(container: &'b dyn Container, layers: &'b [Layer]) -> Self {
        Self { container, layers, maps: Maps::default(), built: HashMap::new(), problems: Vec::new() }
    }

    pub(super) fn take_in<T>(&mut self, handler: &HandlerDescriptor, replacements: &HashMap<TypeId, T>) {
        if handler.role() != HandlerRole::Request || !replacements.contains_key(&handler.message_id()) {
            (handler.install)(handler, self);
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

    /// Takes `H` in as the handler of `R`.
    pub(crate) fn request<R: Request, H: RequestHandler<R> + Inject>(
        descriptor: &HandlerDescriptor,
        install: &mut Install<'_>,
    ) {
        let built = install.built::<H>(descriptor);
        let pipeline = Pipeline::new(MessageInfo::of(descriptor), install.layers);
        let route = Arc::new(RouteTo::<R, H> { built, pipeline, request: PhantomData });
        if let Some(slot) = descriptor.slot {
            install.place(slot(), route.clone());
        }
        install.route::<R>(route);
    }

    /// Lets `send` find a route without looking for it.
    fn place(&mut self, slot: &SlotIndex, route: Arc<dyn Any + Send + Sync>) {
        let (number, slots) = (slot.assign(), &mut self.maps.slots);
        slots.resize_with(slots.len().max(number + 1), || None);
        slots[number] = Some(route);
    }

    /// Takes a handler in that is given as it is.
    pub(super) fn replacement<R: Request, H: RequestHandler<R>>(&mut self, replaced: &Replaced, handler: H) {
        let info = MessageInfo::of_request(&replaced.request, replaced.handler, None);
        let pipeline = Pipeline::new(info, self.layers);
        let built = Some(Arc::new(Replacement(handler)));
        self.route::<R>(Arc::new(RouteTo { built, pipeline, request: PhantomData }));
    }

    fn route<R: Request>(&mut self, route: Arc<dyn Route<R>>) {
        self.maps.routes.insert(TypeId::of::<R>(), Box::new(route));
    }

    /// Takes `H` in as a handler of `E`.
    pub(crate) fn event<E: Event, H: EventHandler<E> + Inject>(
        descriptor: &HandlerDescriptor,
        install: &mut Install<'_>,
    ) {
        let HandlerRole::Event { order, after_commit } = descriptor.role() else { return };
        let built = install.built::<H>(descriptor);
        let pipeline = Pipeline::new(MessageInfo::of(descriptor), install.layers);
        let handler = Box::new(EventTo::<E, H> { built, pipeline, event: PhantomData });
        let entry = EventEntry { order, id: descriptor.id(), name: descriptor.handler(), handler };
        let route = install.maps.events.entry(TypeId::of::<E>()).or_default();
        route.decode = descriptor.handled_event().and_then(|event| event.decode);
        match after_commit {
            true => route.after_commit.push(entry),
            false => route.handlers.push(entry),
        }
    }

    /// The handler, if it needs nothing but singletons; what goes wrong becomes a problem.
    fn built<H: Inject>(&mut self, descriptor: &HandlerDescriptor) -> Option<Arc<H>> {
        let built = self.built_once(descriptor, |container| {
            let mut slots = H::Slots::default();
            Resolver::new(container, H::DEPENDENCIES, &mut slots).singletons()?;
            Ok(Arc::new(H::build(slots)))
        });
        built?.downcast().ok()
    }

    fn built_once(&mut self, descriptor: &HandlerDescriptor, build: Build) -> Option<Built> {
        if let Some(built) = self.built.get(&descriptor.handler_id()) {
            return built.clone();
        }
        let built = needs_only_singletons(self.container, descriptor).then(|| self.build(descriptor, build)).flatten();
        self.built.insert(descriptor.handler_id(), built.clone());
        built
    }

    fn build(&mut self, descriptor: &HandlerDescriptor, build: Build) -> Option<Built> {
        build(self.container)
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

/// A handler, its type forgotten.
type Built = Arc<dyn Any + Send + Sync>;

/// Builds a handler, its type forgotten: what depends on the type is compiled again for each handler.
type Build = fn(&dyn Container) -> Result<Built, ResolveError>;

fn needs_only_singletons(container: &dyn Container, descriptor: &HandlerDescriptor) -> bool {
    descriptor.dependencies().iter().all(|dependency| match container.lifetime(&dependency.key) {
        Lifetime::Singleton => true,
        Lifetime::Missing => dependency.optional,
        _ => false,
    })
}
