use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::dispatch::{Replacement, Route, RouteTo, Slot};
use super::events::{EventEntry, EventRoute, EventTo};
use crate::container::{Container, Lifetime, TypeMap};
use crate::inject::{Inject, Resolver};
use crate::middleware::{Layer, MessageInfo, MessageKind, Pipeline};
use crate::registry::{HandlerDescriptor, HandlerRole, Problem, ProblemKind};
use crate::{Event, EventHandler, Request, RequestHandler, RequestKind};

/// Takes handlers into the maps of a mediator that is being built.
pub(crate) struct Install<'b> {
    container: &'b dyn Container,
    layers: &'b [Layer],
    maps: Maps,
    // One handler type may handle several messages, and is built once for them all.
    built: HashMap<TypeId, Option<Arc<dyn Any + Send + Sync>>>,
    problems: Vec<Problem>,
}

/// How a mediator finds handlers.
#[derive(Default)]
pub(super) struct Maps {
    pub(super) routes: TypeMap<Box<dyn Any + Send + Sync>>,
    pub(super) slots: Vec<Option<Slot>>,
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
        let pipeline = Pipeline::new(info_of_request::<R>(descriptor.handler(), Some(descriptor)), install.layers);
        let slot = descriptor.slot.map(|slot| slot());
        if let (Some(built), Some(slot)) = (&built, slot) {
            let number = slot.assign();
            let slots = &mut install.maps.slots;
            slots.resize_with(slots.len().max(number + 1), || None);
            slots[number] = Some(Slot { handler: built.clone(), layers: pipeline.layers.clone() });
        }
        let slot = slot.filter(|_| built.is_some() && pipeline.layers.is_empty());
        install.route::<R, H>(RouteTo { built, pipeline, slot });
    }

    /// Takes a handler in that is given as it is.
    pub(super) fn replacement<R: Request, H: RequestHandler<R>>(&mut self, handler: Replacement<H>) {
        let pipeline = Pipeline::new(info_of_request::<R>(type_name::<H>(), None), self.layers);
        self.route::<R, _>(RouteTo { built: Some(Arc::new(handler)), pipeline, slot: None });
    }

    fn route<R: Request, H: RequestHandler<R> + Inject>(&mut self, route: RouteTo<H>) {
        let route: Box<dyn Route<R>> = Box::new(route);
        self.maps.routes.insert(TypeId::of::<R>(), Box::new(route));
    }

    /// Takes `H` in as a handler of `E`.
    pub(crate) fn event<E: Event, H: EventHandler<E> + Inject>(
        descriptor: &HandlerDescriptor,
        install: &mut Install<'_>,
    ) {
        let HandlerRole::Event { order, after_commit } = descriptor.role() else { return };
        let built = install.built::<H>(descriptor);
        let pipeline = Pipeline::new(info_of_event::<E>(descriptor), install.layers);
        let handler = Box::new(EventTo { built, pipeline, event: PhantomData::<fn(E)> });
        let entry = EventEntry { order, name: descriptor.handler(), handler };
        let route = install.maps.events.entry(TypeId::of::<E>()).or_default();
        route.decode = descriptor.event.and_then(|event| event.decode);
        match after_commit {
            true => route.after_commit.push(entry),
            false => route.handlers.push(entry),
        }
    }

    /// The handler, if it needs nothing but singletons; what goes wrong becomes a problem.
    fn built<H: Inject>(&mut self, descriptor: &HandlerDescriptor) -> Option<Arc<H>> {
        if let Some(built) = self.built.get(&TypeId::of::<H>()) {
            return built.clone()?.downcast().ok();
        }
        let built = needs_only_singletons(self.container, descriptor).then(|| self.build::<H>(descriptor)).flatten();
        self.built.insert(TypeId::of::<H>(), built.clone().map(|handler| handler as _));
        built
    }

    fn build<H: Inject>(&mut self, descriptor: &HandlerDescriptor) -> Option<Arc<H>> {
        let mut resolver = Resolver::new(self.container, None);
        let handler = at_once(H::inject(&mut resolver));
        if let Some(Ok(handler)) = handler {
            return Some(Arc::new(handler));
        }
        let why = match handler {
            Some(_) => resolver.into_error().to_string(),
            None => "it waits for something while the mediator is built".to_owned(),
        };
        self.problems.push(Problem::new(
            ProblemKind::Container,
            descriptor.location(),
            format!("the handler `{}` cannot be built: {why}", descriptor.handler()),
            "correct that service: such a handler is built together with the mediator",
        ));
        None
    }
}

fn needs_only_singletons(container: &dyn Container, descriptor: &HandlerDescriptor) -> bool {
    descriptor.dependencies().iter().all(|dependency| match container.lifetime(&dependency.key) {
        Lifetime::Singleton => true,
        Lifetime::Missing => dependency.optional,
        _ => false,
    })
}

/// The output of a future that never waits: singletons are there, or are built on the spot.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn info_of_request<R: Request>(handler: &'static str, descriptor: Option<&HandlerDescriptor>) -> MessageInfo {
    MessageInfo {
        kind: match R::KIND {
            RequestKind::Command => MessageKind::Command,
            RequestKind::Query => MessageKind::Query,
        },
        message: R::NAME,
        message_type: type_name::<R>(),
        handler,
        location: descriptor.map(HandlerDescriptor::location),
        idempotent: R::IDEMPOTENT,
        marks: R::MARKS,
    }
}

fn info_of_event<E: Event>(descriptor: &HandlerDescriptor) -> MessageInfo {
    use crate::broker::MessageType;
    use crate::event::EventKind;
    MessageInfo {
        kind: match <E::Kind as EventKind<E>>::MESSAGE_TYPE {
            None => MessageKind::DomainEvent,
            Some(MessageType::Notification) => MessageKind::NotificationEvent,
            Some(MessageType::Ecst) => MessageKind::EcstEvent,
        },
        message: E::NAME,
        message_type: type_name::<E>(),
        handler: descriptor.handler(),
        location: Some(descriptor.location()),
        idempotent: false,
        marks: E::MARKS,
    }
}
