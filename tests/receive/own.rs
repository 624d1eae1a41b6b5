//! What this process emits does not come to its own handlers of events that arrive, and a line in the log says so.

use diator_tests::{Journal, Log, RecordingOutbox};
use tracing::Level;

use super::world::{Conduct, PlanRedrawn, RoomChanged, SeatTaken, World};

const TOLD: &str =
    "DEBUG the event's handlers in this process run when it arrives from the broker, not when this process emits it";

fn seat_taken() -> SeatTaken {
    SeatTaken { seat: 7, conduct: Conduct::Succeed }
}

fn room_changed() -> RoomChanged {
    RoomChanged { room: "red".to_owned() }
}

fn logging() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::new(Level::DEBUG);
    let guard = tracing::subscriber::set_default(log.clone());
    (log, guard)
}

#[track_caller]
fn assert_told(log: &Log, events: &[&str]) {
    let told = log.beginning(TOLD);
    assert_eq!(told.len(), events.len(), "{told:?}");
    for (line, event) in told.iter().zip(events) {
        assert!(line.contains(&format!("diator.message=\"{event}\"")), "{line}");
    }
}

#[tokio::test]
async fn a_notification_is_told_of_once() {
    let (world, (log, _logging)) = (World::new(), logging());
    world.mediator.emit(seat_taken()).await.unwrap();
    world.mediator.emit(seat_taken()).await.unwrap();
    assert_eq!(world.journal.notes(), [""; 0]);
    assert_told(&log, &["seat.taken"]);
}

#[tokio::test]
async fn each_event_and_each_mediator_is_told_of() {
    let (log, _logging) = logging();
    for world in [World::new(), World::new()] {
        world.mediator.emit(room_changed()).await.unwrap();
        world.mediator.emit(seat_taken()).await.unwrap();
    }
    assert_told(&log, &["RoomChanged", "seat.taken", "RoomChanged", "seat.taken"]);
}

#[tokio::test]
async fn an_event_that_goes_to_the_outbox_is_told_of_too() {
    let outbox =
        |builder: diator::MediatorBuilder, journal: &Journal| builder.outbox(RecordingOutbox::new(journal.clone()));
    let (world, (log, _logging)) = (World::with(outbox), logging());
    world.mediator.emit(seat_taken()).await.unwrap();
    assert_told(&log, &["seat.taken"]);
}

#[tokio::test]
async fn an_event_without_handlers_is_not_told_of() {
    let (world, (log, _logging)) = (World::new(), logging());
    world.mediator.emit(PlanRedrawn).await.unwrap();
    assert_told(&log, &[]);
}
