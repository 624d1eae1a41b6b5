//! How the handlers of a message run: each through the middleware, and in a unit of work of its own.

use std::sync::Arc;

use diator::Received;
use diator::middleware::{Answered, Call, MessageKind, Middleware, Next};
use diator_tests::{Ending, Entry, Journal};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::world::{Conduct, World, room_changed, seat_taken};

const CORRELATION: Uuid = Uuid::from_u128(0xc0);
const CAUSATION: Uuid = Uuid::from_u128(0xca);

#[tokio::test]
async fn each_handler_has_a_unit_of_work_of_its_own() {
    let world = World::new();
    world.mediator.receive(seat_taken(7, Conduct::Succeed)).await.expect("it succeeds");
    assert_eq!(world.journal.notes(), ["seat 7 marked in scope 0", "seat 7 counted in scope 1"]);
    assert_eq!(world.journal.endings(), [Ending::Committed; 2]);
    let first = world.journal.position(&Entry::Ended(0, Ending::Committed));
    assert!(first < world.journal.position(&Entry::Opened(1)), "one after the other, in their order");
}

#[tokio::test]
async fn what_a_handler_causes_belongs_to_its_unit_of_work() {
    let world = World::new();
    world.mediator.receive(room_changed("blue")).await.expect("it succeeds");
    let notes = world.journal.notes();
    assert_eq!(notes[notes.len() - 2..], ["plan redrawn in scope 0", "plan outdated in scope 0"]);
    assert_eq!(world.journal.endings(), [Ending::Committed]);
    let committed = world.journal.position(&Entry::Ended(0, Ending::Committed));
    assert!(committed < world.journal.position(&Entry::Published("PlanRedrawn".into())));
}

#[tokio::test]
async fn handlers_read_what_the_message_carries() {
    let world = World::new();
    let arrived =
        room_changed("blue").with_correlation_id(CORRELATION).with_causation_id(CAUSATION).with_traceparent("a trace");
    let id = arrived.id;
    world.mediator.receive(arrived).await.expect("it succeeds");
    let expected = [format!("message {id}"), format!("correlation {CORRELATION}"), "trace Some(\"a trace\")".into()];
    assert_eq!(world.journal.notes()[1..4], expected);
    assert_eq!(world.container.opened_for(), [Some("a trace".to_owned())]);
    assert_eq!(world.container.opened_as(), [MessageKind::EcstEvent]);
}

#[tokio::test]
async fn a_message_without_a_correlation_starts_one() {
    let world = World::new();
    let arrived = room_changed("blue");
    let id = arrived.id;
    world.mediator.receive(arrived).await.expect("it succeeds");
    assert_eq!(world.journal.notes()[2], format!("correlation {id}"));
}

#[tokio::test]
async fn what_a_handler_publishes_names_the_message_as_its_cause() {
    let world = World::new();
    let arrived = room_changed("blue").with_correlation_id(CORRELATION).with_traceparent("a trace");
    let id = arrived.id;
    world.mediator.receive(arrived).await.expect("it succeeds");
    let published = world.broker.memory().published();
    let [redrawn] = &published[..] else { panic!("one is published: {published:?}") };
    assert_eq!((redrawn.causation_id, redrawn.correlation_id), (Some(id), Some(CORRELATION)));
    assert_eq!(redrawn.traceparent.as_deref(), Some("a trace"));
    assert_ne!(redrawn.id, id);
}

/// Notes each handler, and the kind of message that it gets.
struct Trace(Journal);

#[diator::async_trait]
impl Middleware for Trace {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let info = call.info();
        let handler = info.handler.rsplit("::").next().unwrap_or_default();
        if matches!(info.kind, MessageKind::NotificationEvent | MessageKind::EcstEvent) {
            self.0.note(format!("{handler} gets {} ({:?})", info.message, info.kind));
        }
        next.run(call).await
    }
}

#[tokio::test]
async fn each_handler_is_wrapped_in_the_middleware() {
    let world = World::with(|builder, journal| builder.middleware(Trace(journal.clone())));
    world.mediator.receive(seat_taken(7, Conduct::Succeed)).await.expect("it succeeds");
    world.mediator.receive(room_changed("blue")).await.expect("it succeeds");
    let traced: Vec<_> = world.journal.notes().into_iter().filter(|note| note.contains(" gets ")).collect();
    assert_eq!(
        traced,
        [
            "MarkSeat gets seat.taken (NotificationEvent)",
            "CountSeats gets seat.taken (NotificationEvent)",
            "FollowRoom gets RoomChanged (EcstEvent)",
        ]
    );
}

#[tokio::test]
async fn a_message_that_arrives_again_is_handled_again() {
    let world = World::new();
    let arrived = seat_taken(7, Conduct::Succeed);
    for _ in 0..2 {
        let received = world.mediator.receive(arrived.clone()).await;
        assert_eq!(received.expect("it succeeds"), Received::Handled);
    }
    assert_eq!(world.journal.notes().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_messages_at_once_keep_their_scopes_apart() {
    let world = Arc::new(World::new());
    let mut tasks = JoinSet::new();
    for seat in 0..64 {
        let world = world.clone();
        tasks.spawn(async move { world.mediator.receive(seat_taken(seat, Conduct::Succeed)).await });
    }
    for received in tasks.join_all().await {
        assert_eq!(received.expect("it succeeds"), Received::Handled);
    }
    assert_eq!(world.journal.endings(), vec![Ending::Committed; 128]);
    assert_eq!(world.journal.published().len(), 64);
}
