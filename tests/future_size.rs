//! How large the futures are, that they may move between threads, and what else a caller does with their results.

use std::error::Error;
use std::mem::{size_of, size_of_val};
use std::time::Duration;

use diator::broker::{InboundMessage, MessageType};
use diator::prelude::*;
use diator::{CascadeLimit, Received};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Command)]
struct Small([u8; 16]);

#[derive(Debug, Command)]
struct Large([u8; 1024]);

/// Keeps the request across an await.
#[request_handler(Small, Large)]
struct Hold;

impl RequestHandler<Small> for Hold {
    async fn handle(&self, request: Small, _: &mut RequestContext<'_, Small>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        std::hint::black_box(request.0);
        Ok(())
    }
}

impl RequestHandler<Large> for Hold {
    async fn handle(&self, request: Large, _: &mut RequestContext<'_, Large>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        std::hint::black_box(request.0);
        Ok(())
    }
}

#[derive(Debug, DomainEvent)]
struct Held;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Released;

#[event_handler(Held)]
#[event_handler(Released)]
struct Note;

impl EventHandler<Held> for Note {
    async fn handle(&self, _: &Held, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl EventHandler<Released> for Note {
    async fn handle(&self, _: &Released, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn mediator() -> Mediator {
    Mediator::from_registry().without_broker().build().unwrap()
}

// --- Sizes. -------------------------------------------------------------------------------------

/// The size of the future that a handler's `handle` answers.
fn size_of_answer<H, R, C, F>(_handle: impl FnOnce(H, R, C) -> F) -> usize {
    size_of::<F>()
}

/// What the future of `send` holds besides the request and, in place, the handler's future; at most.
const SEND: usize = 768;

/// How much of the handler's future it holds.
fn in_place(handler: usize) -> usize {
    if cfg!(feature = "in-place") { handler } else { 0 }
}

#[test]
fn the_future_of_send_holds_the_request_and_little_more() {
    let mediator = mediator();
    let handler = size_of_answer(<Hold as RequestHandler<Small>>::handle);
    assert!(handler >= 16, "{handler}");
    let send = size_of_val(&mediator.send(Small([0; 16])));
    assert!(send <= 16 + in_place(handler) + SEND, "{send}, the handler's {handler}");
    let handler = size_of_answer(<Hold as RequestHandler<Large>>::handle);
    assert!(handler >= 1024, "{handler}");
    let send = size_of_val(&mediator.send(Large([0; 1024])));
    assert!(send <= 1024 + in_place(handler) + SEND, "{send}, the handler's {handler}");
}

#[test]
fn the_future_of_send_has_room_for_one_request() {
    let mediator = mediator();
    let handlers = size_of_answer(<Hold as RequestHandler<Large>>::handle)
        - size_of_answer(<Hold as RequestHandler<Small>>::handle);
    let small = size_of_val(&mediator.send(Small([0; 16])));
    let large = size_of_val(&mediator.send(Large([0; 1024])));
    assert_eq!(large - small - in_place(handlers), 1024 - 16, "{small}, {large}");
}

#[test]
fn so_has_that_of_send_dyn() {
    let mediator = mediator();
    let small = size_of_val(&mediator.send_dyn(Small([0; 16])));
    assert_eq!(size_of_val(&mediator.send_dyn(Large([0; 1024]))) - small, 1024 - 16);
}

#[test]
fn a_meta_makes_the_future_of_send_no_larger() {
    let mediator = mediator();
    let plain = size_of_val(&mediator.send(Small([0; 16])));
    assert_eq!(size_of_val(&mediator.with(Meta::new()).send(Small([0; 16]))), plain);
}

// --- Threads. -----------------------------------------------------------------------------------

fn arrived() -> InboundMessage {
    let id = "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2".parse().unwrap();
    InboundMessage::new(MessageType::Notification, "Released", id, json!({}))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_future_can_be_spawned() {
    let mediator = mediator();
    let all = async move {
        mediator.send(Small([0; 16])).await?;
        mediator.send_dyn(Small([0; 16])).await?;
        mediator.with(Meta::new()).send(Small([0; 16])).await?;
        mediator.with(Meta::new()).send_dyn(Small([0; 16])).await?;
        mediator.emit(Held).await?;
        mediator.with(Meta::new()).emit(Held).await?;
        let received = mediator.receive(arrived()).await?;
        mediator.shutdown(Duration::ZERO).await;
        Ok::<_, BoxError>(received)
    };
    assert_eq!(tokio::spawn(all).await.unwrap().unwrap(), Received::Handled);
}

#[test]
fn a_mediator_can_be_shared() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Mediator>();
}

// --- Errors. ------------------------------------------------------------------------------------

#[test]
fn a_send_error_is_an_error_also_with_a_boxed_one_in_it() {
    fn error<T: Error + Send + Sync + 'static>() {}
    error::<SendError<BoxError>>();
    error::<SendError<std::fmt::Error>>();
}

#[test]
fn a_send_error_goes_through_a_question_mark() {
    fn fail() -> Result<(), SendError<BoxError>> {
        Err(SendError::Handler("the meeting is full".into()))
    }
    fn caller() -> Result<(), Box<dyn Error + Send + Sync>> {
        fail()?;
        Ok(())
    }
    fn main() -> Result<(), Box<dyn Error>> {
        fail()?;
        Ok(())
    }

    assert_eq!(caller().unwrap_err().to_string(), "the meeting is full");
    assert_eq!(main().unwrap_err().to_string(), "the meeting is full");
    let error = caller().unwrap_err().downcast::<SendError<BoxError>>().unwrap();
    assert!(matches!(*error, SendError::Handler(_)));
}

/// What a request's error needs is less than `std::error::Error`.
#[test]
fn an_error_that_only_shows_itself_is_enough() {
    #[derive(Debug)]
    struct Full;

    impl std::fmt::Display for Full {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the meeting is full")
        }
    }

    let error: Box<dyn Error + Send + Sync> = SendError::Handler(Full).into();
    assert_eq!(error.to_string(), "the meeting is full");
    let cascade = SendError::<Full>::Cascade { message: "Held", limit: CascadeLimit::Depth(64) };
    assert!(cascade.to_string().starts_with("`Held`"), "{cascade}");
}
