//! Handlers of what arrives are addressed one by one, by ids that outlive their types.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diator::broker::MessageType;
use diator::prelude::*;
use diator::registry::{HandlerId, ProblemKind, Registered};
use diator::{HandlerFailure, InboundMessage, ReceiveError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::world::{Conduct, World, seat_taken};

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(unregistered)]
struct OrderPlaced;

/// How often each of the handlers ran.
#[derive(Default)]
struct Runs([AtomicUsize; 3]);

impl Runs {
    fn add(&self, place: usize) -> usize {
        self.0[place].fetch_add(1, Ordering::SeqCst)
    }

    fn counts(&self) -> [usize; 3] {
        [0, 1, 2].map(|place| self.0[place].load(Ordering::SeqCst))
    }
}

#[event_handler(OrderPlaced, id = "billing.charge", unregistered)]
struct Charge {
    runs: Arc<Runs>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.runs.add(0);
        Ok(())
    }
}

/// Panics, fails, and then succeeds.
#[event_handler(OrderPlaced, id = "mail.confirm", after_commit, unregistered)]
struct Confirm {
    runs: Arc<Runs>,
}

impl EventHandler<OrderPlaced> for Confirm {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        match self.runs.add(1) {
            0 => panic!("no mail server"),
            1 => Err("the mail server is away".into()),
            _ => Ok(()),
        }
    }
}

#[event_handler(OrderPlaced, order = 1, unregistered)]
struct Count {
    runs: Arc<Runs>,
}

impl EventHandler<OrderPlaced> for Count {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.runs.add(2);
        Ok(())
    }
}

fn mediator() -> (Mediator, Arc<Runs>) {
    let runs = Arc::new(Runs::default());
    let builder = Mediator::builder().handlers(handlers![Charge, Confirm, Count]).without_broker();
    (builder.container(Services::new().singleton::<Runs>(runs.clone())).build().unwrap(), runs)
}

fn order_placed() -> InboundMessage {
    InboundMessage::new(MessageType::Notification, "OrderPlaced", Uuid::now_v7(), json!({}))
}

fn ids(handlers: &[HandlerId]) -> Vec<&str> {
    handlers.iter().map(HandlerId::as_str).collect()
}

#[tokio::test]
async fn its_handlers_are_listed_by_their_ids_in_their_order() {
    let (mediator, _) = mediator();
    let arrival = mediator.arrive(order_placed()).unwrap();
    let count = std::any::type_name::<Count>();
    assert_eq!(ids(arrival.handlers()), ["billing.charge", count, "mail.confirm"]);
    assert!(Charge::DESCRIPTORS[0].is_named() && !Count::DESCRIPTORS[0].is_named());
}

#[tokio::test]
async fn one_that_succeeded_is_not_run_again() {
    let (mediator, runs) = mediator();
    let arrival = mediator.arrive(order_placed()).unwrap();
    let mut open = arrival.handlers().to_vec();
    let mut told = Vec::new();
    for _ in 0..3 {
        let mut left = Vec::new();
        for id in open {
            if let Err(HandlerFailure { id, error, .. }) = arrival.handle(&id).await {
                told.push(error.to_string());
                left.push(id);
            }
        }
        open = left;
    }
    assert_eq!(open, []);
    assert_eq!(told, ["it panicked: no mail server", "the mail server is away"]);
    assert_eq!(runs.counts(), [1, 3, 1]);
}

#[tokio::test]
async fn receiving_names_those_that_have_to_get_it_again() {
    let (mediator, runs) = mediator();
    let error = mediator.receive(order_placed()).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "the message arrived, but these handlers failed: mail.confirm");
    let ReceiveError::Handlers(failures) = error else { panic!("one of them fails") };
    assert_eq!((failures.len(), failures[0].id.as_str()), (1, "mail.confirm"));
    assert_eq!(failures[0].handler, std::any::type_name::<Confirm>());
    assert_eq!(runs.counts(), [1, 1, 1]);
    let again = mediator.arrive(order_placed()).unwrap();
    again.handle(&failures[0].id).await.unwrap_err();
    again.handle(&failures[0].id).await.unwrap();
    assert_eq!(runs.counts(), [1, 3, 1]);
}

#[tokio::test]
async fn what_no_retry_helps_is_told_apart() {
    let (mediator, _) = mediator();
    let unknown = InboundMessage::new(MessageType::Ecst, "OrderPlaced", Uuid::now_v7(), json!({}));
    assert!(!mediator.arrive(unknown).unwrap_err().is_retryable());
    let world = World::new();
    let unreadable =
        InboundMessage::new(MessageType::Notification, "seat.taken", Uuid::now_v7(), json!({ "seat": "x" }));
    assert!(!world.mediator.arrive(unreadable).unwrap_err().is_retryable());
    world.mediator.shutdown(Duration::ZERO).await;
    assert!(world.mediator.receive(seat_taken(7, Conduct::Succeed)).await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_handler_that_the_event_does_not_have_is_unhandled() {
    let ((mediator, _), world) = (mediator(), World::new());
    let other = world.mediator.arrive(seat_taken(7, Conduct::Succeed)).unwrap().handlers()[0];
    let failure = mediator.arrive(order_placed()).unwrap().handle(&other).await.unwrap_err();
    assert!(matches!(failure.error, SendError::Unhandled { .. }), "{failure:?}");
}

#[tokio::test]
async fn it_outlives_a_shutdown_only_to_say_so() {
    let (mediator, runs) = mediator();
    let arrival = mediator.arrive(order_placed()).unwrap();
    assert!(mediator.shutdown(Duration::from_secs(5)).await.is_clean());
    let failure = arrival.handle(&arrival.handlers()[0]).await.unwrap_err();
    assert!(matches!(failure.error, SendError::ShuttingDown), "{failure:?}");
    assert_eq!(runs.counts(), [0; 3]);
}

#[event_handler(OrderPlaced, id = "billing.charge", unregistered)]
struct ChargeTwice;

impl EventHandler<OrderPlaced> for ChargeTwice {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[event_handler(OrderPlaced, id = "", unregistered)]
struct Nameless;

impl EventHandler<OrderPlaced> for Nameless {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn two_handlers_with_one_id_and_an_empty_id_are_problems() {
    let builder = Mediator::builder().handlers(handlers![Charge, ChargeTwice, Nameless]).without_broker();
    let error = builder.container(Services::new().value(Runs::default())).build().unwrap_err();
    let told: Vec<_> = error.problems().iter().map(|problem| (problem.kind(), problem.text().to_owned())).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|(kind, _)| *kind == ProblemKind::HandlerId), "{told:?}");
    assert!(told.iter().any(|(_, text)| text.contains("of one event have the same id: `billing.charge`")), "{told:?}");
    assert!(told.iter().any(|(_, text)| text.ends_with("Nameless` has an empty id")), "{told:?}");
}
