//! A middleware that answers in the place of an event's handler, which failed or was given up half way.
//!
//! Nothing half done is kept: neither what the handler wrote, nor what it emitted. Where the handler had a unit of work of its
//! own, the answer stands, so that a program can skip a message that always fails.

use std::future::{pending, poll_fn};
use std::mem::forget;
use std::sync::Arc;
use std::task::Poll;

use diator::broker::MessageType;
use diator::middleware::{Answered, Call, MessageInfo, MessageKind, Middleware, Next};
use diator::prelude::*;
use diator::{InboundMessage, Received};
use diator_tests::{Ending, Journal, Recorder, RecordingBroker, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// What becomes of the handler before the middleware answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Fate {
    Fails,
    IsDropped,
    IsForgotten,
}

const FATES: [Fate; 3] = [Fate::Fails, Fate::IsDropped, Fate::IsForgotten];

/// A command whose event is handled in its unit of work.
#[derive(Debug, Command)]
struct Order(Fate);

#[derive(Debug, DomainEvent)]
struct Ordered(Fate);

/// A command whose event is handled after the commit.
#[derive(Debug, Command)]
struct Ship(Fate);

#[derive(Debug, DomainEvent)]
struct Shipped(Fate);

/// What arrives.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Paid {
    fate: Fate,
}

/// What each handler publishes before it is half done.
#[derive(Debug, Serialize, NotificationEvent)]
struct Told;

#[request_handler(Order, Ship)]
struct Emit;

impl RequestHandler<Order> for Emit {
    async fn handle(&self, command: Order, cx: &mut RequestContext<'_, Order>) -> Result<(), BoxError> {
        cx.emit(Ordered(command.0));
        Ok(())
    }
}

impl RequestHandler<Ship> for Emit {
    async fn handle(&self, command: Ship, cx: &mut RequestContext<'_, Ship>) -> Result<(), BoxError> {
        cx.emit(Shipped(command.0));
        Ok(())
    }
}

#[event_handler(Ordered)]
#[event_handler(Paid)]
#[event_handler(Shipped, after_commit)]
struct HalfWay {
    journal: Arc<Journal>,
    _transaction: Arc<Transaction>,
}

impl HalfWay {
    async fn handle(&self, fate: Fate, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note("half done");
        cx.emit(Told);
        match fate {
            Fate::Fails => Err("it cannot be done".into()),
            Fate::IsDropped | Fate::IsForgotten => pending().await,
        }
    }
}

impl EventHandler<Ordered> for HalfWay {
    async fn handle(&self, event: &Ordered, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.handle(event.0, cx).await
    }
}

impl EventHandler<Shipped> for HalfWay {
    async fn handle(&self, event: &Shipped, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.handle(event.0, cx).await
    }
}

impl EventHandler<Paid> for HalfWay {
    async fn handle(&self, event: &Paid, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.handle(event.fate, cx).await
    }
}

/// Says of each handler of an event that it is done.
struct Skip(Fate);

#[diator::async_trait]
impl Middleware for Skip {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.kind != MessageKind::Command
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let mut handling = Box::pin(next.run(call));
        let polled = poll_fn(|cx| Poll::Ready(handling.as_mut().poll(cx))).await;
        assert_eq!(polled.is_ready(), self.0 == Fate::Fails);
        match self.0 {
            Fate::IsForgotten => forget(handling),
            Fate::Fails | Fate::IsDropped => drop(handling),
        }
        call.answer(())
    }
}

/// A mediator that skips, and what its container and its broker took down.
fn mediator(fate: Fate, container: impl FnOnce(Journal) -> Recorder) -> (Mediator, Journal) {
    let journal = Journal::default();
    let mediator = Mediator::builder()
        .handlers(handlers![Emit, HalfWay])
        .container(container(journal.clone()))
        .broker(RecordingBroker::new(journal.clone()))
        .middleware(Skip(fate));
    (mediator.build().unwrap(), journal)
}

#[track_caller]
fn assert_nothing_is_kept(journal: &Journal, fate: Fate) {
    assert_eq!(journal.notes(), ["half done"], "{fate:?}");
    assert_eq!(journal.endings(), [Ending::RolledBack], "{fate:?}");
    assert_eq!(journal.published(), [""; 0], "{fate:?}");
}

/// Its unit of work is the command's, and cannot be undone in part.
#[tokio::test]
async fn within_the_unit_of_work_of_a_command() {
    for fate in FATES {
        let (mediator, journal) = mediator(fate, Recorder::new);
        let sent = mediator.send(Order(fate)).await;
        assert!(matches!(sent, Err(SendError::RolledBack)), "{fate:?}: {sent:?}");
        assert_nothing_is_kept(&journal, fate);
    }
}

#[tokio::test]
async fn after_the_commit() {
    for fate in FATES {
        let (mediator, journal) = mediator(fate, Recorder::new);
        mediator.send(Ship(fate)).await.expect("the answer stands");
        assert_nothing_is_kept(&journal, fate);
    }
}

#[tokio::test]
async fn of_a_message_that_arrives() {
    for fate in FATES {
        let (mediator, journal) = mediator(fate, Recorder::new);
        let arrived = InboundMessage::new(MessageType::Notification, "Paid", Uuid::now_v7(), json!(Paid { fate }));
        assert_eq!(mediator.receive(arrived).await.expect("the answer stands"), Received::Handled);
        assert_nothing_is_kept(&journal, fate);
    }
}

#[tokio::test]
async fn without_an_open_scope_only_what_it_emitted_is_dropped() {
    for fate in FATES {
        let (mediator, journal) = mediator(fate, Recorder::with_singletons_only);
        mediator.send(Order(fate)).await.expect("there is nothing to roll back");
        assert_eq!(journal.notes(), ["half done"]);
        assert_eq!(journal.endings(), []);
        assert_eq!(journal.published(), [""; 0], "{fate:?}");
    }
}
