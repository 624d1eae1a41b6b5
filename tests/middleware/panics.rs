//! A middleware that panics, in each position, leaves the mediator usable.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use diator::Committed;
use diator::broker::MessageType;
use diator::middleware::{MessageInfo, MessageKind, Middleware, middleware_fn};
use diator::{InboundMessage, ReceiveError, Received};
use serde_json::json;
use uuid::Uuid;

use super::seats::{Reserve, ReserveForGroup, Seats};

/// Panics at every message of a name, before or after it is handled.
fn panicking(message: &'static str, after: bool) -> impl Middleware {
    let panicking = middleware_fn(move |call, next| {
        let unlucky = call.message::<Reserve>().is_none_or(|reserve| reserve.0 == 13);
        Box::pin(async move {
            assert!(after || !unlucky, "before it is handled");
            let handled = next.run(call).await;
            assert!(!unlucky, "after it was handled");
            handled
        })
    });
    panicking.only(move |info| info.message == message)
}

async fn panics<T: Send + 'static>(sending: impl Future<Output = T> + Send + 'static) -> bool {
    tokio::spawn(AssertUnwindSafe(sending)).await.is_err_and(|error| error.is_panic())
}

#[tokio::test]
async fn around_a_request() {
    for after in [false, true] {
        let seats = Seats::default();
        let mediator = seats.with(panicking("Reserve", after));
        let unlucky = mediator.clone();
        assert!(panics(async move { unlucky.send(Reserve(13)).await }).await);
        assert_eq!(mediator.send(Reserve(1)).await.unwrap(), 1);
        assert!(mediator.shutdown(Duration::from_secs(1)).await.is_clean());
        // What was committed before the panic stays so.
        assert_eq!(seats.broker.len(), if after { 2 } else { 1 });
    }
}

#[tokio::test]
async fn around_a_nested_request() {
    for after in [false, true] {
        let seats = Seats::default();
        let mediator = seats.with(panicking("Reserve", after));
        let unlucky = mediator.clone();
        assert!(panics(async move { unlucky.send(ReserveForGroup(13)).await }).await);
        assert_eq!(mediator.send(ReserveForGroup(1)).await.unwrap(), 1);
        assert!(mediator.shutdown(Duration::from_secs(1)).await.is_clean());
        assert_eq!(seats.broker.len(), 1, "what panicked published nothing");
    }
}

#[tokio::test]
async fn around_a_handler_of_an_event() {
    for after in [false, true] {
        let seats = Seats::default();
        let in_the_unit = |info: &MessageInfo| info.handler.ends_with("NoteReserved");
        let mediator = seats.with(panicking("Reserved", after).only(in_the_unit));
        let unlucky = mediator.clone();
        assert!(panics(async move { unlucky.send(Reserve(1)).await }).await);
        assert!(seats.journal.notes().contains(&"rollback".to_owned()));
        assert!(seats.broker.is_empty());
        assert!(mediator.shutdown(Duration::from_secs(1)).await.is_clean());
    }
}

#[tokio::test]
async fn around_a_handler_after_the_commit() {
    let seats = Seats::default();
    let after_commit = |info: &MessageInfo| info.handler.ends_with("SendTicket");
    let mediator = seats.with(panicking("Reserved", false).only(after_commit));
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::Yes);
    assert_eq!(seats.broker.len(), 1);
    assert!(mediator.shutdown(Duration::from_secs(1)).await.is_clean());
}

#[tokio::test]
async fn around_what_arrives() {
    let seats = Seats::default();
    let mediator = seats.with(panicking("SeatTaken", true).only(|info| info.kind == MessageKind::NotificationEvent));
    let arrived = || InboundMessage::new(MessageType::Notification, "SeatTaken", Uuid::now_v7(), json!({ "seat": 1 }));
    let Err(ReceiveError::Handlers(failures)) = mediator.receive(arrived()).await else { panic!("its handler fails") };
    assert_eq!(failures.len(), 1);
    assert!(failures[0].error.to_string().starts_with("it panicked: after it was handled"), "{:?}", failures[0]);
    assert_eq!(mediator.send(Reserve(1)).await.unwrap(), 1);
    assert!(mediator.shutdown(Duration::from_secs(1)).await.is_clean());

    let well = Seats::default().builder().build().unwrap();
    assert_eq!(well.receive(arrived()).await.unwrap(), Received::Handled);
}
