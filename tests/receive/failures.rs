//! What becomes of a message whose handlers fail, or whose receiver goes away.

use diator::Committed;
use std::time::Duration;

use diator::broker::PublishErrorKind;
use diator::container::CommitOutcome;
use diator::{HandlerFailure, Mediator, ReceiveError, Received, SendError};
use diator_testkit::drop_after;
use diator_tests::{Ending, Entry, Pace};

use super::world::{Conduct, World, room_changed, seat_taken};

/// Receives a message, and returns the handlers that failed.
async fn failures(mediator: &Mediator, message: diator::InboundMessage) -> Vec<HandlerFailure> {
    match mediator.receive(message).await {
        Err(ReceiveError::Handlers(failures)) => failures,
        other => panic!("handlers fail: {other:?}"),
    }
}

#[tokio::test]
async fn one_that_fails_does_not_stop_the_others() {
    let world = World::new();
    let failures = failures(&world.mediator, seat_taken(7, Conduct::Fail)).await;
    let [HandlerFailure { handler, error, .. }] = &failures[..] else { panic!("one of them fails: {failures:?}") };
    assert_eq!(*handler, std::any::type_name::<super::world::MarkSeat>());
    assert_eq!(error.committed(), Committed::No);
    assert!(format!("{error:?}").contains("the plan is locked"), "{error:?}");
    assert_eq!(world.journal.notes(), ["seat 7 marked in scope 0", "seat 7 counted in scope 1"]);
    assert_eq!(world.journal.endings(), [Ending::RolledBack, Ending::Committed]);
    assert_eq!(world.journal.published(), ["PlanRedrawn"]);
}

#[tokio::test]
async fn all_that_fail_are_named() {
    let world = World::new();
    world.container.fail_to_resolve();
    let failures = failures(&world.mediator, seat_taken(7, Conduct::Succeed)).await;
    let names: Vec<_> = failures.iter().map(|failure| failure.handler.rsplit("::").next()).collect();
    assert_eq!(names, [Some("MarkSeat"), Some("CountSeats")]);
    for failure in failures {
        assert!(matches!(failure.error, SendError::Resolve { .. }), "{failure:?}");
    }
    assert_eq!(world.journal.endings(), [Ending::RolledBack; 2]);
}

#[tokio::test]
async fn one_that_cannot_commit_has_failed() {
    let world = World::new();
    world.container.fail_to_commit(CommitOutcome::Unknown);
    let failures = failures(&world.mediator, seat_taken(7, Conduct::Succeed)).await;
    assert_eq!(failures.len(), 2);
    for failure in failures {
        assert!(matches!(failure.error, SendError::Commit { outcome: CommitOutcome::Unknown, .. }), "{failure:?}");
    }
    assert_eq!(world.journal.published(), [""; 0]);
}

#[tokio::test]
async fn of_one_whose_commit_panics_nobody_knows_whether_it_is_committed() {
    for pace in [Pace::AtOnce, Pace::Yielding(1)] {
        let world = World::new();
        world.container.panic_at_commit();
        world.container.close(pace);
        let failures = failures(&world.mediator, seat_taken(7, Conduct::Succeed)).await;
        assert_eq!(failures.len(), 2);
        for HandlerFailure { error, .. } in failures {
            assert_eq!(error.committed(), Committed::Unknown, "{pace:?}: {error:?}");
        }
        assert_eq!(world.journal.published(), [""; 0]);
    }
}

#[tokio::test]
async fn one_that_cannot_publish_is_committed_all_the_same() {
    let world = World::new();
    world.broker.memory().refuse(PublishErrorKind::Fatal);
    let failures = failures(&world.mediator, seat_taken(7, Conduct::Succeed)).await;
    let [failure] = &failures[..] else { panic!("only one of them publishes: {failures:?}") };
    assert!(failure.handler.ends_with("CountSeats"));
    assert_eq!(failure.error.committed(), Committed::Yes);
    assert_eq!(world.journal.endings(), [Ending::Committed; 2]);
}

#[tokio::test]
async fn a_domain_event_handler_that_fails_undoes_the_handler_that_caused_it() {
    let world = World::new();
    world.container.fail_to_open();
    let failures = failures(&world.mediator, room_changed("blue")).await;
    assert!(matches!(&failures[..], [failure] if failure.handler.ends_with("FollowRoom")), "{failures:?}");
    assert_eq!(world.journal.published(), [""; 0]);
}

#[tokio::test]
async fn the_mediator_goes_on_after_a_panic() {
    let world = World::new();
    let mediator = world.mediator.clone();
    let failures = failures(&mediator, seat_taken(7, Conduct::Panic)).await;
    let [HandlerFailure { handler, error, .. }] = &failures[..] else { panic!("one of them fails: {failures:?}") };
    assert_eq!(*handler, std::any::type_name::<super::world::MarkSeat>());
    assert_eq!(error.to_string(), "it panicked: in the handler");
    assert_eq!(world.journal.notes(), ["seat 7 marked in scope 0", "seat 7 counted in scope 1"], "the other one runs");
    assert_eq!(world.journal.endings(), [Ending::Dropped, Ending::Committed]);
    let received = world.mediator.receive(seat_taken(8, Conduct::Succeed)).await;
    assert_eq!(received.expect("it succeeds"), Received::Handled);
    assert!(world.mediator.shutdown(Duration::from_secs(5)).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_point_each_handler_happens_or_does_not() {
    let mut seen = Vec::new();
    for polls in 0.. {
        let world = World::new();
        world.container.open(Pace::Yielding(1));
        world.container.close(Pace::Yielding(2));
        world.broker.yielding(2);
        let answer = drop_after(polls, world.mediator.receive(seat_taken(7, Conduct::Succeed))).await;
        assert!(world.mediator.shutdown(Duration::from_secs(60)).await.is_clean());

        let begun: Vec<_> = (0..2).map(|scope| world.journal.count(&Entry::CommitBegun(scope))).collect();
        for (scope, ending) in world.journal.endings().into_iter().enumerate() {
            assert_eq!(ending, [Ending::Dropped, Ending::Committed][begun[scope]]);
        }
        assert_eq!(world.journal.published().len(), begun[1], "the second one publishes if it commits");
        seen.push(begun);
        if answer.is_some() {
            break;
        }
    }
    for state in [[0, 0], [1, 0], [1, 1]] {
        assert!(seen.iter().filter(|begun| begun[..] == state).count() > 1, "it was dropped at {state:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_mediator_that_shuts_down_receives_nothing() {
    let world = World::new();
    assert!(world.mediator.shutdown(Duration::ZERO).await.is_clean());
    let received = world.mediator.receive(seat_taken(7, Conduct::Succeed)).await;
    assert!(matches!(received, Err(ReceiveError::ShuttingDown)), "{received:?}");
    assert_eq!(world.journal.entries(), []);
}
