//! What one writes without a crate: a map of trait objects, a future in a box, and a chain of boxed closures.

use std::any::{Any, TypeId};
use std::collections::HashMap;

use diator::{BoxError, BoxFuture};

use crate::fill::{Fill, Filler};
use crate::handled;

type Answer<'a> = BoxFuture<'a, Result<u64, BoxError>>;

struct Add(u64);
struct AddAndTell(u64);
struct Added(u64);

trait Handler<R>: Send + Sync {
    fn handle<'a>(&'a self, request: R, mediator: &'a Mediator) -> Answer<'a>;
}

trait EventHandler<E>: Send + Sync {
    fn handle<'a>(&'a self, event: &'a E) -> BoxFuture<'a, Result<(), BoxError>>;
}

trait Layer: Send + Sync {
    fn handle<'a>(&'a self, request: Add, next: Next<'a>) -> Answer<'a>;
}

type Next<'a> = Box<dyn FnOnce(Add) -> Answer<'a> + Send + 'a>;

#[derive(Default)]
struct Mediator {
    /// Of each request its `Box<dyn Handler<R>>`, of each event its `Vec<Box<dyn EventHandler<E>>>`.
    handlers: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    layers: Vec<Box<dyn Layer>>,
}

impl Mediator {
    fn register<R: 'static>(mut self, handler: impl Handler<R> + 'static) -> Self {
        let handler: Box<dyn Handler<R>> = Box::new(handler);
        self.handlers.insert(TypeId::of::<R>(), Box::new(handler));
        self
    }

    fn subscribe<E: 'static>(mut self, handler: impl EventHandler<E> + 'static) -> Self {
        let handlers =
            self.handlers.entry(TypeId::of::<E>()).or_insert_with(|| Box::new(Vec::<Box<dyn EventHandler<E>>>::new()));
        handlers.downcast_mut::<Vec<Box<dyn EventHandler<E>>>>().unwrap().push(Box::new(handler));
        self
    }

    fn handler<R: 'static>(&self) -> &dyn Handler<R> {
        &**self.handlers[&TypeId::of::<R>()].downcast_ref::<Box<dyn Handler<R>>>().unwrap()
    }

    async fn send<R: 'static>(&self, request: R) -> Result<u64, BoxError> {
        self.handler::<R>().handle(request, self).await
    }

    async fn send_through_layers(&self, request: Add) -> Result<u64, BoxError> {
        self.chain(&self.layers)(request).await
    }

    fn chain<'a>(&'a self, layers: &'a [Box<dyn Layer>]) -> Next<'a> {
        match layers.split_first() {
            Some((first, rest)) => Box::new(move |request| first.handle(request, self.chain(rest))),
            None => Box::new(|request| self.handler::<Add>().handle(request, self)),
        }
    }

    async fn emit<E: 'static>(&self, event: E) -> Result<(), BoxError> {
        let handlers = self.handlers[&TypeId::of::<E>()].downcast_ref::<Vec<Box<dyn EventHandler<E>>>>().unwrap();
        for handler in handlers {
            handler.handle(&event).await?;
        }
        Ok(())
    }
}

struct AddHandler;

impl Handler<Add> for AddHandler {
    fn handle<'a>(&'a self, request: Add, _: &'a Mediator) -> Answer<'a> {
        Box::pin(async move {
            handled();
            Ok(request.0 + 1)
        })
    }
}

struct AddAndTellHandler;

impl Handler<AddAndTell> for AddAndTellHandler {
    fn handle<'a>(&'a self, request: AddAndTell, mediator: &'a Mediator) -> Answer<'a> {
        Box::pin(async move {
            handled();
            mediator.emit(Added(request.0)).await?;
            Ok(request.0 + 1)
        })
    }
}

struct FillerHandler;

impl<const A: u8, const B: u8> Handler<Filler<A, B>> for FillerHandler {
    fn handle<'a>(&'a self, _: Filler<A, B>, _: &'a Mediator) -> Answer<'a> {
        Box::pin(async { Ok(0) })
    }
}

impl Fill for Mediator {
    fn filler<const A: u8, const B: u8>(self) -> Self {
        self.register::<Filler<A, B>>(FillerHandler)
    }
}

struct NoteAdded;

impl EventHandler<Added> for NoteAdded {
    fn handle<'a>(&'a self, event: &'a Added) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            std::hint::black_box(event.0);
            handled();
            Ok(())
        })
    }
}

struct Pass;

impl Layer for Pass {
    fn handle<'a>(&'a self, request: Add, next: Next<'a>) -> Answer<'a> {
        Box::pin(async move { next(request).await })
    }
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::default().register(AddHandler);
    async move |number| mediator.send(Add(number)).await.unwrap()
}

pub(crate) fn send_among_256() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::default().register(AddHandler).fill();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

pub(crate) fn send_through_3() -> impl AsyncFnMut(u64) -> u64 {
    let mut mediator = Mediator::default().register(AddHandler);
    (0..3).for_each(|_| mediator.layers.push(Box::new(Pass)));
    async move |number| mediator.send_through_layers(Add(number)).await.unwrap()
}

pub(crate) fn emit(handlers: usize) -> impl AsyncFnMut(u64) {
    let mediator = (0..handlers).fold(Mediator::default(), |mediator, _| mediator.subscribe(NoteAdded));
    async move |number| mediator.emit(Added(number)).await.unwrap()
}

pub(crate) fn send_and_emit() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::default().register(AddAndTellHandler).subscribe(NoteAdded);
    async move |number| mediator.send(AddAndTell(number)).await.unwrap()
}
