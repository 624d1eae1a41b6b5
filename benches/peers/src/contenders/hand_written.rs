//! What one writes without a crate: a map of trait objects, a future in a box, and a chain of boxed closures, or of what is
//! left of a slice.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

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

/// What wraps the rest of a slice: `Next` needs no box.
trait SliceLayer: Send + Sync {
    fn handle<'a>(&'a self, request: Add, rest: Rest<'a>) -> Answer<'a>;
}

struct Rest<'a> {
    layers: &'a [Box<dyn SliceLayer>],
    handler: &'a dyn Handler<Add>,
    mediator: &'a Mediator,
}

impl<'a> Rest<'a> {
    fn run(self, request: Add) -> Answer<'a> {
        match self.layers.split_first() {
            Some((first, layers)) => first.handle(request, Rest { layers, ..self }),
            None => self.handler.handle(request, self.mediator),
        }
    }
}

/// A `TypeId` is a hash already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a `TypeId` writes a word")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Default)]
struct Mediator<S = RandomState> {
    /// Of each request its `Box<dyn Handler<R>>`, of each event its `Vec<Box<dyn EventHandler<E>>>`.
    handlers: HashMap<TypeId, Box<dyn Any + Send + Sync>, S>,
    layers: Vec<Box<dyn Layer>>,
    slice: Vec<Box<dyn SliceLayer>>,
    /// What handlers are given, if this is one with another hash.
    nested: Option<Box<Mediator>>,
}

impl Mediator<BuildHasherDefault<Identity>> {
    async fn send_by_identity<R: 'static>(&self, request: R) -> Result<u64, BoxError> {
        self.handler::<R>().handle(request, self.nested.as_ref().unwrap()).await
    }
}

impl<S: BuildHasher> Mediator<S> {
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
}

impl Mediator {
    async fn send<R: 'static>(&self, request: R) -> Result<u64, BoxError> {
        self.handler::<R>().handle(request, self).await
    }

    async fn send_through_layers(&self, request: Add) -> Result<u64, BoxError> {
        self.chain(&self.layers)(request).await
    }

    async fn send_through_slice(&self, request: Add) -> Result<u64, BoxError> {
        Rest { layers: &self.slice, handler: self.handler::<Add>(), mediator: self }.run(request).await
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

impl SliceLayer for Pass {
    fn handle<'a>(&'a self, request: Add, rest: Rest<'a>) -> Answer<'a> {
        Box::pin(async move { rest.run(request).await })
    }
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::default().register(AddHandler);
    async move |number| mediator.send(Add(number)).await.unwrap()
}

pub(crate) fn send_by_identity() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::<BuildHasherDefault<Identity>> { nested: Some(Box::default()), ..Mediator::default() };
    let mediator = mediator.register(AddHandler);
    async move |number| mediator.send_by_identity(Add(number)).await.unwrap()
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

pub(crate) fn send_through_slice_of_3() -> impl AsyncFnMut(u64) -> u64 {
    let mut mediator = Mediator::default().register(AddHandler);
    (0..3).for_each(|_| mediator.slice.push(Box::new(Pass)));
    async move |number| mediator.send_through_slice(Add(number)).await.unwrap()
}

pub(crate) fn emit(handlers: usize) -> impl AsyncFnMut(u64) {
    let mediator = (0..handlers).fold(Mediator::default(), |mediator, _| mediator.subscribe(NoteAdded));
    async move |number| mediator.emit(Added(number)).await.unwrap()
}

pub(crate) fn send_and_emit() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::default().register(AddAndTellHandler).subscribe(NoteAdded);
    async move |number| mediator.send(AddAndTell(number)).await.unwrap()
}
