//! Events from outside a handler: `mediator.emit` runs steps 5 to 8 in a scope of its own.

use std::time::Duration;

use diator::broker::PublishErrorKind;
use diator::container::CommitOutcome;
use diator::prelude::*;
use diator::{Committed, MessageKind};
use diator_testkit::drop_after;
use diator_tests::{Ending, Entry, Pace, RecordingOutbox};
use uuid::Uuid;

use super::messages::{
    Booked, KeepBooks, Unheard, Unwritable, act, announced, done, happened, happened_then, replicated, settled,
};
use super::world::{Way, World};

fn world() -> World {
    World::new(Way::SEND_SCOPED)
}

#[tokio::test]
async fn its_handlers_run_in_a_unit_of_work_of_their_own() {
    let world = world();
    world.mediator.emit(Booked).await.expect("it succeeds");
    world.mediator.emit(Booked).await.expect("it succeeds");
    assert_eq!(world.notes(), ["booked in scope 0", "booked in scope 1"]);
    assert_eq!(world.endings(), [Ending::Committed; 2]);
    assert_eq!(world.container.opened_as(), [MessageKind::DomainEvent; 2]);
}

#[tokio::test]
async fn what_its_handlers_cause_follows() {
    let world = world();
    let causing = happened_then("event", |cx| {
        Box::pin(async move {
            cx.emit(settled("settled"));
            cx.emit(announced("announced"));
            cx.emit(happened("another"));
            cx.send(act(|cx| {
                cx.emit(happened("nested"));
                done(Ok(0))
            }))
            .await?;
            Ok(())
        })
    });
    world.mediator.emit(causing).await.expect("it succeeds");
    assert_eq!(world.notes(), ["event", "another", "nested", "settled", "settled too"]);
    assert_eq!(world.published(), ["announced"]);
    let committed = world.journal.position(&Entry::Ended(0, Ending::Committed));
    assert!(committed < world.journal.position(&Entry::note("settled")));
}

#[tokio::test]
async fn a_broker_event_is_published() {
    let world = world();
    world.mediator.emit(announced("a")).await.expect("it succeeds");
    world.mediator.emit(replicated("b")).await.expect("it succeeds");
    assert_eq!(world.published(), ["a", "b"]);
    assert_eq!(world.endings(), [], "there is nothing to commit");
}

#[tokio::test]
async fn an_event_without_handlers_is_fine() {
    world().mediator.emit(Unheard).await.expect("it succeeds");
}

#[tokio::test]
async fn an_after_commit_handler_runs() {
    let world = world();
    world.mediator.emit(settled("a")).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "a too"]);
}

#[tokio::test]
async fn it_carries_what_it_is_given() {
    let (message, correlation) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let meta = Meta::new().with_message_id(message).with_correlation_id(correlation).with_traceparent("trace");
    let world = world();
    let reading = happened_then("event", move |cx| {
        assert_eq!((cx.meta().message_id(), cx.meta().correlation_id()), (message, correlation));
        cx.emit(announced("a"));
        done(Ok(()))
    });
    world.mediator.with(meta).emit(reading).await.expect("it succeeds");
    let published = &world.broker.memory().published()[0];
    assert_eq!((published.causation_id, published.correlation_id), (Some(message), Some(correlation)));
    assert_eq!(published.traceparent.as_deref(), Some("trace"));
}

#[tokio::test]
async fn a_handler_that_fails_fails_it() {
    let world = world();
    let failing = happened_then("event", |cx| {
        cx.emit(announced("never"));
        Box::pin(async move {
            cx.send(KeepBooks).await?;
            Err("the room is closed".into())
        })
    });
    let error = world.mediator.emit(failing).await.expect_err("the handler fails");
    assert!(matches!(error, SendError::Event { event: "Happened", .. }), "{error:?}");
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::RolledBack]);
}

#[tokio::test]
async fn an_event_that_cannot_be_written_fails() {
    let error = world().mediator.emit(Unwritable).await.expect_err("it has no words");
    assert!(matches!(error, SendError::Encode { event: "Unwritable", .. }), "{error:?}");
}

#[tokio::test]
async fn without_a_broker_a_broker_event_fails() {
    let world = World::without_broker(Way::SEND, |builder, _, _| builder.without_broker());
    let error = world.mediator.emit(announced("a")).await.expect_err("there is no broker");
    assert!(matches!(error, SendError::NoBroker { event: "Announced" }), "{error:?}");
}

#[tokio::test]
async fn a_commit_that_fails_fails_it() {
    let world = world();
    world.container.fail_to_commit(CommitOutcome::RolledBack);
    let error = world.mediator.emit(Booked).await.expect_err("the commit fails");
    assert!(matches!(error, SendError::Commit { outcome: CommitOutcome::RolledBack, .. }), "{error:?}");
}

#[tokio::test]
async fn what_the_broker_refuses_is_told() {
    let world = world();
    world.broker.memory().refuse(PublishErrorKind::Fatal);
    let error = world.mediator.emit(announced("a")).await.expect_err("it is undelivered");
    assert_eq!(error.committed(), Committed::Yes);
    let SendError::Undelivered(undelivered) = error else { panic!("it is undelivered: {error:?}") };
    assert_eq!(undelivered.messages()[0].message.key.as_deref(), Some("a"));
    SendError::<()>::Undelivered(undelivered).into_committed_response::<()>().expect("the response is empty");
}

#[tokio::test]
async fn with_an_outbox_it_is_staged() {
    let world = World::with(Way::SEND, |builder, journal| builder.outbox(RecordingOutbox::new(journal.clone())));
    world.mediator.emit(announced("a")).await.expect("it succeeds");
    assert!(world.journal.position(&Entry::Staged("a".into())) < world.journal.position(&Entry::CommitBegun(0)));
    assert_eq!(world.container.opened_as(), [MessageKind::NotificationEvent]);
    assert_eq!(world.published(), [""; 0]);
}

#[tokio::test]
async fn for_later_it_is_staged_with_its_delay_or_fails() {
    let world = World::with(Way::SEND, |builder, journal| builder.outbox(RecordingOutbox::new(journal.clone())));
    let hour = Duration::from_secs(60 * 60);
    world.mediator.emit_after(hour, announced("a")).await.expect("it succeeds");
    assert_eq!(world.journal.count(&Entry::Staged("a after 3600s".into())), 1);
    let error = World::new(Way::SEND).mediator.emit_after(hour, announced("a")).await.expect_err("nothing keeps it");
    assert!(matches!(error, SendError::NoOutbox { event: "Announced" }), "{error:?}");
}

#[tokio::test]
async fn dropped_at_any_point_it_happens_or_does_not() {
    let mut committed = 0;
    for polls in 0.. {
        let world = world();
        world.container.open(Pace::Yielding(1));
        world.container.close(Pace::Yielding(2));
        world.broker.yielding(1);
        let emitted = happened_then("event", |cx| {
            cx.emit(Booked);
            cx.emit(announced("a"));
            done(Ok(()))
        });
        let answer = drop_after(polls, world.mediator.emit(emitted)).await;
        world.settle().await;
        let happened = world.journal.count(&Entry::CommitBegun(0));
        assert_eq!(world.published().len(), happened);
        assert!(world.endings().iter().all(|ending| *ending == [Ending::Dropped, Ending::Committed][happened]));
        committed += happened;
        if answer.is_some() {
            break;
        }
    }
    assert!(committed > 1, "some of them were dropped after the commit had begun");
}
