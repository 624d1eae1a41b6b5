//! mediator 0.2, its asynchronous one: requests, interceptors, events.

use std::hint::black_box;

use mediator::futures::BoxFuture;
use mediator::impls_async::Builder;
use mediator::{
    AsyncEventHandler, AsyncInterceptor, AsyncMediator, AsyncRequestHandler, DefaultAsyncMediator, Event, Request,
    async_trait,
};

use crate::fill::{Fill, Filler};
use crate::handled;

struct Add(u64);

impl Request<u64> for Add {}

struct AddHandler;

#[async_trait]
impl AsyncRequestHandler<Add, u64> for AddHandler {
    async fn handle(&mut self, request: Add) -> u64 {
        handled();
        request.0 + 1
    }
}

impl<const A: u8, const B: u8> Request<u64> for Filler<A, B> {}

struct FillerHandler;

#[async_trait]
impl<const A: u8, const B: u8> AsyncRequestHandler<Filler<A, B>, u64> for FillerHandler {
    async fn handle(&mut self, _: Filler<A, B>) -> u64 {
        0
    }
}

impl Fill for Builder {
    fn filler<const A: u8, const B: u8>(self) -> Self {
        self.add_handler::<Filler<A, B>, _, _>(FillerHandler)
    }
}

struct AddAndTell(u64);

impl Request<u64> for AddAndTell {}

struct AddAndTellHandler(DefaultAsyncMediator);

#[async_trait]
impl AsyncRequestHandler<AddAndTell, u64> for AddAndTellHandler {
    async fn handle(&mut self, request: AddAndTell) -> u64 {
        handled();
        self.0.publish(Added(request.0)).await.unwrap();
        request.0 + 1
    }
}

#[derive(Clone)]
struct Added(u64);

impl Event for Added {}

struct NoteAdded;

#[async_trait]
impl AsyncEventHandler<Added> for NoteAdded {
    async fn handle(&mut self, event: Added) {
        black_box(event.0);
        handled();
    }
}

struct Pass;

#[async_trait]
impl AsyncInterceptor<Add, u64> for Pass {
    async fn handle(&mut self, request: Add, next: Box<dyn FnOnce(Add) -> BoxFuture<'static, u64> + Send>) -> u64 {
        next(request).await
    }
}

fn builder() -> Builder {
    DefaultAsyncMediator::builder().add_handler(AddHandler)
}

fn sending(builder: Builder) -> impl AsyncFnMut(u64) -> u64 {
    let mut mediator = builder.build();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    sending(builder())
}

pub(crate) fn send_among_256() -> impl AsyncFnMut(u64) -> u64 {
    sending(builder().fill())
}

pub(crate) fn send_through_3() -> impl AsyncFnMut(u64) -> u64 {
    sending((0..3).fold(builder(), |builder, _| builder.add_interceptor::<Add, u64, (), _>(Pass)))
}

pub(crate) fn emit(handlers: usize) -> impl AsyncFnMut(u64) {
    let builder = (0..handlers).fold(DefaultAsyncMediator::builder(), |builder, _| builder.subscribe(NoteAdded));
    let mut mediator = builder.build();
    async move |number| mediator.publish(Added(number)).await.unwrap()
}

pub(crate) fn send_and_emit() -> impl AsyncFnMut(u64) -> u64 {
    let builder = DefaultAsyncMediator::builder().subscribe(NoteAdded).add_handler_deferred(AddAndTellHandler);
    let mut mediator = builder.build();
    async move |number| mediator.send(AddAndTell(number)).await.unwrap()
}
