//! Step 4, the handler: it answers, or fails and undoes what it did.

use diator::Committed;
use diator::SendError;

use super::messages::{Refusal, act, announced, done, happened, refuse, replicated, settled};
use super::world::{Way, World, every_way};

every_way! {
    the_response_comes_back,
    a_failing_handler_fails_the_message_with_its_own_error,
    the_events_of_a_failing_handler_are_dropped,
    the_mediator_goes_on_after_a_failure,
}

async fn the_response_comes_back(way: Way) {
    let world = World::new(way);
    let sent = world.send(act(|_| done(Ok(42)))).await;
    assert_eq!(sent.expect("it succeeds"), 42);
    world.assert_committed();
}

async fn a_failing_handler_fails_the_message_with_its_own_error(way: Way) {
    let world = World::new(way);
    let sent = world.send(act(|_| done(refuse("no seat is left")))).await;
    let Err(error) = sent else { panic!("it fails") };
    assert_eq!(error.committed(), Committed::No);
    assert!(matches!(error, SendError::Handler(Refusal(reason)) if reason == "no seat is left"));
    world.assert_rolled_back();
}

async fn the_events_of_a_failing_handler_are_dropped(way: Way) {
    let world = World::new(way);
    let sent = world
        .send(act(|cx| {
            cx.emit(happened("a"));
            cx.emit(settled("b"));
            cx.emit(announced("c"));
            cx.emit(replicated("d"));
            done(refuse("after all"))
        }))
        .await;
    assert!(matches!(sent, Err(SendError::Handler(_))), "{sent:?}");
    assert_eq!(world.notes(), [""; 0]);
    world.assert_rolled_back();
}

async fn the_mediator_goes_on_after_a_failure(way: Way) {
    let world = World::new(way);
    for round in 0..3 {
        assert!(world.send(act(|_| done(refuse("not now")))).await.is_err());
        assert_eq!(world.send(act(move |_| done(Ok(round)))).await.expect("it succeeds"), round);
    }
}
