//! diator.

use std::hint::black_box;

use diator::middleware::{Answered, Call, Next};
use diator::prelude::*;
use diator::{MediatorBuilder, Middleware, handlers};

use crate::handled;

#[derive(Debug, Command)]
#[request(response = u64)]
struct Add(u64);

#[request_handler(Add)]
struct AddHandler;

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, command: Add, _: &mut RequestContext<'_, Add>) -> Result<u64, BoxError> {
        handled();
        Ok(command.0 + 1)
    }
}

#[derive(Debug, Command)]
#[request(response = u64)]
struct AddAndTell(u64);

#[request_handler(AddAndTell)]
struct AddAndTellHandler;

impl RequestHandler<AddAndTell> for AddAndTellHandler {
    async fn handle(&self, command: AddAndTell, cx: &mut RequestContext<'_, AddAndTell>) -> Result<u64, BoxError> {
        handled();
        cx.emit(AddedForOne(command.0));
        Ok(command.0 + 1)
    }
}

#[derive(Debug, DomainEvent)]
struct AddedForOne(u64);

#[derive(Debug, DomainEvent)]
struct AddedForTen(u64);

macro_rules! note {
    ($event:ident: $($handler:ident)*) => {
        $(
            #[event_handler($event)]
            struct $handler;

            impl EventHandler<$event> for $handler {
                async fn handle(&self, event: &$event, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                    black_box(event.0);
                    handled();
                    Ok(())
                }
            }
        )*
    };
}

note!(AddedForOne: Note);
note!(AddedForTen: A B C D E F G H I J);

struct Pass;

#[diator::async_trait]
impl Middleware for Pass {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

// --- 256 more handlers. -------------------------------------------------------------------------

macro_rules! sixteen {
    ($macro:ident) => {
        $macro! { a b c d e f g h i j k l m n o p }
    };
}

macro_rules! fillers {
    ($($name:ident)*) => {
        $(mod $name {
            use diator::prelude::*;

            #[derive(Debug, Command)]
            pub(super) struct Filler;

            #[request_handler(Filler)]
            pub(super) struct FillerHandler;

            impl RequestHandler<Filler> for FillerHandler {
                async fn handle(&self, _: Filler, _: &mut RequestContext<'_, Filler>) -> Result<(), BoxError> {
                    Ok(())
                }
            }
        })*

        pub(super) fn fill(builder: diator::MediatorBuilder) -> diator::MediatorBuilder {
            builder.handlers(diator::handlers![$($name::FillerHandler),*])
        }
    };
}

macro_rules! rows {
    ($($name:ident)*) => {
        $(mod $name {
            sixteen!(fillers);
        })*

        fn fill(builder: MediatorBuilder) -> MediatorBuilder {
            $(let builder = $name::fill(builder);)*
            builder
        }
    };
}

sixteen!(rows);

// --- What is measured. --------------------------------------------------------------------------

fn builder() -> MediatorBuilder {
    Mediator::builder().handlers(handlers![AddHandler])
}

fn sending(builder: MediatorBuilder) -> impl AsyncFnMut(u64) -> u64 {
    let mediator = builder.build().unwrap();
    async move |number| mediator.send(Add(number)).await.unwrap()
}

fn sending_dyn(builder: MediatorBuilder) -> impl AsyncFnMut(u64) -> u64 {
    let mediator = builder.build().unwrap();
    async move |number| mediator.send_dyn(Add(number)).await.unwrap()
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    sending(builder())
}

pub(crate) fn send_dyn() -> impl AsyncFnMut(u64) -> u64 {
    sending_dyn(builder())
}

pub(crate) fn send_among_256() -> impl AsyncFnMut(u64) -> u64 {
    sending(fill(builder()))
}

pub(crate) fn send_dyn_among_256() -> impl AsyncFnMut(u64) -> u64 {
    sending_dyn(fill(builder()))
}

fn wrapped() -> MediatorBuilder {
    (0..3).fold(builder(), |builder, _| builder.middleware(Pass))
}

pub(crate) fn send_through_3() -> impl AsyncFnMut(u64) -> u64 {
    sending(wrapped())
}

pub(crate) fn send_dyn_through_3() -> impl AsyncFnMut(u64) -> u64 {
    sending_dyn(wrapped())
}

pub(crate) fn emit_to_1() -> impl AsyncFnMut(u64) {
    let mediator = Mediator::builder().handlers(handlers![Note]).build().unwrap();
    async move |number| mediator.emit(AddedForOne(number)).await.unwrap()
}

pub(crate) fn emit_to_10() -> impl AsyncFnMut(u64) {
    let mediator = Mediator::builder().handlers(handlers![A, B, C, D, E, F, G, H, I, J]).build().unwrap();
    async move |number| mediator.emit(AddedForTen(number)).await.unwrap()
}

pub(crate) fn send_and_emit() -> impl AsyncFnMut(u64) -> u64 {
    let mediator = Mediator::builder().handlers(handlers![AddAndTellHandler, Note]).build().unwrap();
    async move |number| mediator.send(AddAndTell(number)).await.unwrap()
}

/// The mediator that several tasks send on.
pub(crate) fn shared() -> Mediator {
    builder().build().unwrap()
}

pub(crate) async fn repeat(mediator: Mediator, times: u64) {
    for number in 0..times {
        black_box(mediator.send(Add(black_box(number))).await.unwrap());
    }
}

pub(crate) async fn repeat_dyn(mediator: Mediator, times: u64) {
    for number in 0..times {
        black_box(mediator.send_dyn(Add(black_box(number))).await.unwrap());
    }
}

/// How large futures are, in bytes.
pub(crate) fn sizes() -> [(&'static str, usize); 3] {
    let mediator = shared();
    [
        ("the handler's own", size_of_answer(<AddHandler as RequestHandler<Add>>::handle)),
        ("`send`, the handler's within it", size_of_val(&mediator.send(Add(1)))),
        ("`send_dyn`", size_of_val(&mediator.send_dyn(Add(1)))),
    ]
}

fn size_of_answer<H, R, C, F>(_handle: impl FnOnce(H, R, C) -> F) -> usize {
    size_of::<F>()
}
