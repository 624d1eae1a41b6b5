//! How the event of a message is found and read.

use diator::broker::{Format, InboundMessage, MessageType};
use diator::prelude::*;
use diator::{ReceiveError, Received};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{Conduct, CountSeats, MarkSeat, SeatTaken, World, room_changed, seat_taken};

fn notification(name: &str, payload: Value) -> InboundMessage {
    InboundMessage::new(MessageType::Notification, name, Uuid::now_v7(), payload)
}

fn seat(seat: u32) -> Value {
    json!({ "seat": seat, "conduct": "Succeed" })
}

#[tokio::test]
async fn a_message_is_found_by_its_name() {
    let world = World::new();
    let received = world.mediator.receive(notification("seat.taken", seat(7))).await;
    assert_eq!(received.expect("it succeeds"), Received::Handled);
    assert_eq!(world.journal.notes(), ["seat 7 marked in scope 0", "seat 7 counted in scope 1"]);
}

#[tokio::test]
async fn a_message_is_found_by_each_alias() {
    let world = World::new();
    for name in ["SeatTaken", "seat.occupied"] {
        let received = world.mediator.receive(notification(name, seat(7))).await;
        assert_eq!(received.expect("it succeeds"), Received::Handled, "{name}");
    }
    assert_eq!(world.journal.notes().len(), 4);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_an_error() {
    let world = World::new();
    let error = world.mediator.receive(notification("seat.broken", seat(7))).await.expect_err("nobody knows it");
    let ReceiveError::Unknown { message_type, name } = error else { panic!("it is unknown: {error:?}") };
    assert_eq!((message_type, &*name), (MessageType::Notification, "seat.broken"));
}

#[tokio::test]
async fn a_name_of_another_kind_is_an_error() {
    let world = World::new();
    let other_kind = InboundMessage::new(MessageType::Ecst, "seat.taken", Uuid::now_v7(), seat(7));
    let error = world.mediator.receive(other_kind).await.expect_err("it is a notification");
    assert!(matches!(error, ReceiveError::Unknown { message_type: MessageType::Ecst, .. }), "{error:?}");
    assert_eq!(world.journal.notes(), [""; 0]);
}

#[tokio::test]
async fn a_domain_event_does_not_arrive() {
    let world = World::new();
    let error = world.mediator.receive(notification("PlanOutdated", json!({}))).await.expect_err("it stays inside");
    assert!(matches!(error, ReceiveError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_an_error() {
    let world = World::new();
    for payload in [json!({ "seat": "seven", "conduct": "Succeed" }), json!({}), json!(7)] {
        let error = world.mediator.receive(notification("seat.taken", payload)).await.expect_err("it does not fit");
        let ReceiveError::Undecodable { name, .. } = error else { panic!("it is undecodable: {error:?}") };
        assert_eq!(name, "seat.taken");
    }
    assert_eq!(world.journal.entries(), []);
}

// --- Known, but not handled here. ---------------------------------------------------------------

#[tokio::test]
async fn an_event_whose_handlers_were_left_out_is_ignored() {
    let world = World::with(|builder, _| builder.except::<MarkSeat>().except::<CountSeats>());
    let received = world.mediator.receive(seat_taken(7, Conduct::Succeed)).await;
    assert_eq!(received.expect("it is known"), Received::Ignored);
    assert_eq!(world.journal.entries(), []);
}

#[tokio::test]
async fn of_two_handlers_one_can_be_left_out() {
    let world = World::with(|builder, _| builder.except::<MarkSeat>());
    let received = world.mediator.receive(seat_taken(7, Conduct::Fail)).await;
    assert_eq!(received.expect("who would fail is not here"), Received::Handled);
    assert_eq!(world.journal.notes(), ["seat 7 counted in scope 0"]);
}

/// This process publishes it, and does not handle it.
#[derive(Serialize, NotificationEvent)]
struct OnlyPublished;

#[tokio::test]
async fn an_event_that_is_only_published_here_is_ignored() {
    let world = World::with(|builder, _| builder);
    let mediator = Mediator::from_registry().container(world.container.clone()).broker(world.broker.clone());
    let mediator = mediator.build().expect("all handlers of this program are in order");
    mediator.emit(OnlyPublished).await.expect("it is published");
    let received = mediator.receive(notification("OnlyPublished", json!({}))).await;
    assert_eq!(received.expect("it is known"), Received::Ignored);
}

// --- What was published comes back. -------------------------------------------------------------

/// An event with fields of several types, which come back as they went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, EcstEvent)]
struct Everything {
    text: String,
    number: i64,
    fraction: f64,
    list: Vec<Option<bool>>,
    seat: (u8, char),
}

#[event_handler(Everything)]
struct Compare;

impl EventHandler<Everything> for Compare {
    async fn handle(&self, event: &Everything, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        if *event == everything() { Ok(()) } else { Err(format!("{event:?}").into()) }
    }
}

fn everything() -> Everything {
    Everything {
        text: "Grüße, \"Räume\"\n\u{1f3e0}".into(),
        number: i64::MIN,
        fraction: 0.1 + 0.2,
        list: vec![Some(true), None],
        seat: (7, 'ß'),
    }
}

/// Publishes an event, and lets it arrive where it came from.
async fn publish_and_receive(format: Format) {
    let world = World::with(|builder, _| builder.handlers(handlers![Compare]).format(format));
    world.mediator.emit(everything()).await.expect("it is published");
    world.mediator.emit(SeatTaken { seat: 7, conduct: Conduct::Succeed }).await.expect("it is published");
    assert_eq!(world.journal.notes(), [""; 0], "handlers run for what arrives, not for what is published");

    for published in world.broker.memory().take_published() {
        let arrived = InboundMessage::try_from(&published).expect("it is a message");
        assert_eq!(arrived.id, published.id);
        let received = world.mediator.receive(arrived).await;
        assert_eq!(received.expect("it comes back as it went"), Received::Handled);
    }
    assert_eq!(world.journal.notes(), ["seat 7 marked in scope 0", "seat 7 counted in scope 1"]);
}

#[tokio::test]
async fn what_was_published_as_json_comes_back() {
    publish_and_receive(Format::python()).await;
}

#[tokio::test]
async fn what_was_published_as_a_cloud_event_comes_back() {
    publish_and_receive(Format::cloud_events("/tests").expect("it is a source")).await;
}

#[tokio::test]
async fn what_the_python_library_wrote_is_read() {
    let world = World::new();
    let written = br#"{"message_type": "ecst_event", "message_name": "RoomChanged",
        "message_id": "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2",
        "payload": {"event_id": "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2",
            "event_timestamp": "2026-11-22T22:31:53.997858", "room": "blue"}}"#;
    let arrived = InboundMessage::decode(written, None, []).expect("it is a message");
    assert_eq!(world.mediator.receive(arrived).await.expect("it succeeds"), Received::Handled);
    assert_eq!(world.journal.notes()[..2], ["blue changed", "message 82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2"]);
    world.mediator.receive(room_changed("red")).await.expect("it is the same event");
}
