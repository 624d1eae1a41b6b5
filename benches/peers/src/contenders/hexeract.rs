//! hexeract-mediator 0.6: commands, middleware, notifications. It draws ids for each message.

use std::hint::black_box;
use std::sync::{Arc, OnceLock};

use hexeract_core::{
    BoxOutput, Command, CommandHandler, HandlerContext, HexeractError, MessageEnvelope, Middleware, Next, Notification,
    NotificationHandler,
};
use hexeract_mediator::{Mediator, MediatorBuilder};

use crate::fill::{Fill, Filler};
use crate::handled;

struct Add(u64);

impl Command for Add {
    type Output = u64;
}

struct AddHandler;

impl CommandHandler<Add> for AddHandler {
    type Error = HexeractError;

    async fn handle(&self, command: Add, _: &HandlerContext) -> Result<u64, HexeractError> {
        handled();
        Ok(command.0 + 1)
    }
}

impl<const A: u8, const B: u8> Command for Filler<A, B> {
    type Output = u64;
}

struct FillerHandler;

impl<const A: u8, const B: u8> CommandHandler<Filler<A, B>> for FillerHandler {
    type Error = HexeractError;

    async fn handle(&self, _: Filler<A, B>, _: &HandlerContext) -> Result<u64, HexeractError> {
        Ok(0)
    }
}

impl Fill for MediatorBuilder {
    fn filler<const A: u8, const B: u8>(self) -> Self {
        self.register_command_handler::<Filler<A, B>, _>(FillerHandler)
    }
}

struct AddAndTell(u64);

impl Command for AddAndTell {
    type Output = u64;
}

struct AddAndTellHandler(Arc<OnceLock<Mediator>>);

impl CommandHandler<AddAndTell> for AddAndTellHandler {
    type Error = HexeractError;

    async fn handle(&self, command: AddAndTell, cx: &HandlerContext) -> Result<u64, HexeractError> {
        handled();
        let mediator = self.0.get().expect("it was set");
        mediator.publish_with_correlation_id(Added(command.0), cx.correlation_id).await?;
        Ok(command.0 + 1)
    }
}

struct Added(u64);

impl Notification for Added {}

struct NoteAdded;

impl NotificationHandler<Added> for NoteAdded {
    type Error = HexeractError;

    async fn handle(&self, event: Arc<Added>, _: &HandlerContext) -> Result<(), HexeractError> {
        black_box(event.0);
        handled();
        Ok(())
    }
}

struct Pass;

impl Middleware for Pass {
    async fn execute(
        &self,
        envelope: &MessageEnvelope,
        cx: &HandlerContext,
        next: Next,
    ) -> Result<BoxOutput, HexeractError> {
        next.run(envelope, cx).await
    }
}

fn builder() -> MediatorBuilder {
    MediatorBuilder::new().register_command_handler::<Add, _>(AddHandler)
}

fn sending(builder: MediatorBuilder) -> impl AsyncFnMut(u64) -> u64 {
    let mediator = builder.build().unwrap();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    sending(builder())
}

pub(crate) fn send_among_256() -> impl AsyncFnMut(u64) -> u64 {
    sending(builder().fill())
}

pub(crate) fn send_through_3() -> impl AsyncFnMut(u64) -> u64 {
    sending((0..3).fold(builder(), |builder, _| builder.with_middleware(Pass)))
}

pub(crate) fn emit(handlers: usize) -> impl AsyncFnMut(u64) {
    let register = |builder: MediatorBuilder, _| builder.register_notification_handler::<Added, _>(NoteAdded);
    let mediator = (0..handlers).fold(MediatorBuilder::new(), register).build().unwrap();
    async move |number| mediator.publish(Added(number)).await.unwrap()
}

pub(crate) fn send_and_emit() -> impl AsyncFnMut(u64) -> u64 {
    let own = Arc::new(OnceLock::new());
    let mediator = MediatorBuilder::new()
        .register_command_handler::<AddAndTell, _>(AddAndTellHandler(own.clone()))
        .register_notification_handler::<Added, _>(NoteAdded)
        .build()
        .unwrap();
    own.set(mediator.clone()).expect("it was not set");
    async move |number| mediator.send(AddAndTell(number)).await.unwrap()
}
