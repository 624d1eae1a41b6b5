//! mediator-rs 0.1: requests and behaviours; no events.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use diator::BoxError;
use mediator_rs::{Extensions, Handler, Mediator, PipelineBehavior, PipelineNext, Request};

use crate::fill::{Fill, Filler};
use crate::handled;

struct Add(u64);

impl Request for Add {
    type Output = u64;
}

struct AddHandler;

#[async_trait]
impl Handler<Add, BoxError, ()> for AddHandler {
    async fn handle(&self, request: Add, _: &()) -> Result<u64, BoxError> {
        handled();
        Ok(request.0 + 1)
    }
}

impl<const A: u8, const B: u8> Request for Filler<A, B> {
    type Output = u64;
}

struct FillerHandler;

#[async_trait]
impl<const A: u8, const B: u8> Handler<Filler<A, B>, BoxError, ()> for FillerHandler {
    async fn handle(&self, _: Filler<A, B>, _: &()) -> Result<u64, BoxError> {
        Ok(0)
    }
}

impl Fill for Mediator<(), BoxError> {
    fn filler<const A: u8, const B: u8>(mut self) -> Self {
        self.register::<Filler<A, B>, _>(FillerHandler);
        self
    }
}

struct Pass;

#[async_trait]
impl PipelineBehavior<(), BoxError> for Pass {
    async fn handle(
        &self,
        _: &Extensions,
        _: &(),
        next: PipelineNext<'_, BoxError>,
    ) -> Result<Box<dyn Any + Send + Sync>, BoxError> {
        next.run().await
    }
}

fn mediator() -> Mediator<(), BoxError> {
    let mut mediator = Mediator::new();
    mediator.register::<Add, _>(AddHandler);
    mediator
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = mediator();
    async move |number| mediator.dispatch(Add(number), &()).await.unwrap()
}

pub(crate) fn send_among_256() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = mediator().fill();
    async move |number| mediator.dispatch(Add(number), &()).await.unwrap()
}

pub(crate) fn send_through_3() -> impl AsyncFnMut(u64) -> u64 {
    let mut mediator = mediator();
    (0..3).for_each(|_| mediator.add_behavior(Arc::new(Pass)));
    async move |number| mediator.dispatch(Add(number), &()).await.unwrap()
}
