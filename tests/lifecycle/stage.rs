//! Step 6, broker events wait until everything else has succeeded; with an outbox they go into the transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diator::broker::MessageType;
use diator::container::CommitOutcome;
use diator::{EmittedEvent, SendError};
use diator_tests::{Ending, Entry, Pace, RecordingOutbox};

use super::messages::{
    Act, Unwritable, act, announced, done, happened, happened_then, replicated, settled, settled_then,
};
use super::world::{Way, World, every_way};

every_way! {
    broker_events_wait_until_everything_else_is_done,
    broker_events_of_all_emitters_go_out_in_the_order_of_emission,
    both_kinds_of_broker_event_are_published,
    an_event_that_cannot_be_written_fails_before_the_commit,
    without_a_broker_a_broker_event_fails_before_the_commit,
    an_outbox_takes_events_in_before_the_commit_and_nothing_is_published,
    an_outbox_that_fails_undoes_the_message,
    an_outbox_takes_in_what_handlers_after_the_commit_emit,
    an_outbox_is_not_asked_where_there_is_nothing_to_stage,
    an_outbox_is_told_of_the_commit_before_all_that_follows_it,
    an_outbox_is_not_told_of_a_commit_that_fails,
    an_outbox_is_told_how_long_an_event_has_to_wait,
    an_event_for_later_fails_without_an_outbox,
    an_outbox_that_panics_when_it_is_told_keeps_nothing_from_its_work,
}

async fn broker_events_wait_until_everything_else_is_done(way: Way) {
    let world = World::new(way);
    let memory = world.broker.memory().clone();
    let waiting = act(move |cx| {
        cx.emit(announced("first of all"));
        cx.emit(happened_then("event", move |_| {
            assert!(memory.is_empty(), "nothing is published while handlers run");
            done(Ok(()))
        }));
        cx.emit(happened("another"));
        done(Ok(1))
    });
    world.send(waiting).await.expect("it succeeds");
    assert_eq!(world.published(), ["first of all"]);
    let published = world.journal.position(&Entry::Published("first of all".into()));
    assert!(world.journal.position(&Entry::note("another")) < published);
    if way.scoped {
        assert!(world.journal.position(&Entry::Ended(0, Ending::Committed)) < published);
    }
}

/// Emits from the handler, a nested handler, and event handlers of both.
fn many_emitters() -> Act {
    act(|cx| {
        Box::pin(async move {
            cx.emit(announced("1"));
            cx.emit(happened_then("event", |cx| {
                cx.emit(replicated("6"));
                cx.emit(happened_then("event's event", |cx| {
                    cx.emit(announced("8"));
                    done(Ok(()))
                }));
                done(Ok(()))
            }));
            cx.emit(replicated("2"));
            cx.send(act(|cx| {
                cx.emit(announced("3"));
                cx.emit(happened_then("nested event", |cx| {
                    cx.emit(announced("7"));
                    done(Ok(()))
                }));
                cx.emit(replicated("4"));
                done(Ok(0))
            }))
            .await?;
            cx.emit(announced("5"));
            Ok(1)
        })
    })
}

async fn broker_events_of_all_emitters_go_out_in_the_order_of_emission(way: Way) {
    let world = World::new(way);
    world.send(many_emitters()).await.expect("it succeeds");
    assert_eq!(world.notes(), ["event", "nested event", "event's event"]);
    assert_eq!(world.published(), ["1", "2", "3", "4", "5", "6", "7", "8"]);
}

async fn both_kinds_of_broker_event_are_published(way: Way) {
    let world = World::new(way);
    let both = act(|cx| {
        cx.emit(announced("a"));
        cx.emit(replicated("b"));
        done(Ok(1))
    });
    world.send(both).await.expect("it succeeds");
    let published = world.broker.memory().published();
    let kinds: Vec<_> = published.iter().map(|message| (message.message_type, &*message.name)).collect();
    assert_eq!(kinds, [(MessageType::Notification, "Announced"), (MessageType::Ecst, "Replicated")]);
}

async fn an_event_that_cannot_be_written_fails_before_the_commit(way: Way) {
    let world = World::new(way);
    let unwritable = act(|cx| {
        cx.emit(announced("before it"));
        cx.emit(settled("never"));
        cx.emit(Unwritable);
        done(Ok(1))
    });
    let sent = world.send(unwritable).await;
    let Err(SendError::Encode { event, source }) = sent else { panic!("it cannot be written: {sent:?}") };
    assert_eq!(event, "Unwritable");
    assert!(source.to_string().contains("it has no words"), "{source}");
    assert_eq!(world.notes(), [""; 0]);
    world.assert_rolled_back();
}

async fn without_a_broker_a_broker_event_fails_before_the_commit(way: Way) {
    let world = World::without_broker(way, |builder, _, _| builder.without_broker());
    let announcing = act(|cx| {
        cx.emit(settled("never"));
        cx.emit(announced("a"));
        done(Ok(1))
    });
    let sent = world.send(announcing).await;
    assert!(matches!(sent, Err(SendError::NoBroker { event: "Announced" })), "{sent:?}");
    assert_eq!(world.notes(), [""; 0]);
    world.assert_rolled_back();
}

// --- The outbox. --------------------------------------------------------------------------------

async fn an_outbox_takes_events_in_before_the_commit_and_nothing_is_published(way: Way) {
    let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::new(journal.clone())));
    world.send(many_emitters()).await.expect("it succeeds");

    let staged: Vec<_> = (1..=8).map(|number: u32| Entry::Staged(number.to_string())).collect();
    let begun = world.journal.position(&Entry::CommitBegun(0));
    let before: Vec<_> = world.journal.entries().drain(..begun).filter(|entry| staged.contains(entry)).collect();
    assert_eq!(before, staged, "all of them, in the order of emission, and before the commit");
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::Committed], "a scope is opened where there was none");
}

async fn an_outbox_that_fails_undoes_the_message(way: Way) {
    let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::failing(journal.clone())));
    let announcing = act(|cx| {
        cx.emit(settled("never"));
        cx.emit(announced("a"));
        done(Ok(1))
    });
    let sent = world.send(announcing).await;
    let Err(SendError::Stage(source)) = sent else { panic!("the outbox fails: {sent:?}") };
    assert_eq!(source.to_string(), "the table is full");
    assert_eq!(world.notes(), [""; 0]);
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::RolledBack]);
}

async fn an_outbox_takes_in_what_handlers_after_the_commit_emit(way: Way) {
    let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::new(journal.clone())));
    let settling = act(|cx| {
        cx.emit(settled_then("settled", |cx| {
            cx.emit(announced("late"));
            done(Ok(()))
        }));
        done(Ok(1))
    });
    world.send(settling).await.expect("it succeeds");
    let its_scope = usize::from(way.scoped);
    let staged = world.journal.position(&Entry::Staged("late".into()));
    assert!(staged < world.journal.position(&Entry::CommitBegun(its_scope)));
    assert_eq!(world.published(), [""; 0]);
}

async fn an_outbox_is_not_asked_where_there_is_nothing_to_stage(way: Way) {
    let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::failing(journal.clone())));
    let quiet = act(|cx| {
        cx.emit(happened("a"));
        done(Ok(1))
    });
    assert_eq!(world.send(quiet).await.expect("the outbox has no say"), 1);
    assert_eq!(world.journal.count(&Entry::StagedCommitted), 0);
    world.assert_committed();
}

/// Stages a message, and has a handler that waits for the commit.
fn staged_and_settled() -> Act {
    act(|cx| {
        cx.emit(announced("a"));
        cx.emit(settled("settled"));
        done(Ok(1))
    })
}

const PACES: [Pace; 2] = [Pace::AtOnce, Pace::Yielding(2)];

async fn an_outbox_is_told_of_the_commit_before_all_that_follows_it(way: Way) {
    for pace in PACES {
        let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::new(journal.clone())));
        world.container.close(pace);
        world.send(staged_and_settled()).await.expect("it succeeds");
        assert_eq!(world.journal.count(&Entry::StagedCommitted), 1);
        let told = world.journal.position(&Entry::StagedCommitted);
        assert!(world.journal.position(&Entry::Ended(0, Ending::Committed)) < told);
        assert!(told < world.journal.position(&Entry::note("settled")));
    }
}

async fn an_outbox_is_not_told_of_a_commit_that_fails(way: Way) {
    for pace in PACES {
        for outcome in [CommitOutcome::RolledBack, CommitOutcome::Unknown] {
            let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::new(journal.clone())));
            world.container.close(pace);
            world.container.fail_to_commit(outcome);
            let sent = world.send(staged_and_settled()).await;
            assert!(matches!(sent, Err(SendError::Commit { .. })), "{sent:?}");
            world.settle().await;
            assert_eq!(world.journal.count(&Entry::StagedCommitted), 0);
        }
    }
}

async fn an_outbox_that_panics_when_it_is_told_keeps_nothing_from_its_work(way: Way) {
    let world = World::with(way, |builder, journal| builder.outbox(RecordingOutbox::panicking(journal.clone())));
    world.send(staged_and_settled()).await.expect("it is committed");
    assert_eq!(world.notes(), ["settled", "settled too"]);
}

const MINUTE: Duration = Duration::from_secs(60);

async fn an_outbox_is_told_how_long_an_event_has_to_wait(way: Way) {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = told.clone();
    let world = World::with(way, move |builder, journal| {
        let count = move |event: &EmittedEvent| {
            assert_ne!(event.name, "Delayed");
            counted.fetch_add(1, Ordering::Relaxed);
        };
        builder.outbox(RecordingOutbox::new(journal.clone())).on_emitted(count)
    });
    let later = act(|cx| {
        cx.emit_after(MINUTE, announced("later"));
        cx.emit(happened_then("event", |cx| {
            cx.emit_after(Duration::ZERO, replicated("soon"));
            done(Ok(()))
        }));
        cx.emit(announced("now"));
        done(Ok(1))
    });
    world.send(later).await.expect("it succeeds");
    let staged = world.journal.entries().into_iter().filter(|entry| matches!(entry, Entry::Staged(_)));
    let expected = ["later after 60s", "now", "soon after 0ns"].map(|label| Entry::Staged(label.into()));
    assert_eq!(staged.collect::<Vec<_>>(), expected);
    assert_eq!(told.load(Ordering::Relaxed), 4, "a hook learns of them as of all others");
}

async fn an_event_for_later_fails_without_an_outbox(way: Way) {
    let world = World::new(way);
    let later = act(|cx| {
        cx.emit(announced("now"));
        cx.emit_after(MINUTE, announced("later"));
        cx.emit(settled("never"));
        done(Ok(1))
    });
    let sent = world.send(later).await;
    assert!(matches!(sent, Err(SendError::NoOutbox { event: "Announced" })), "{sent:?}");
    assert_eq!(world.notes(), [""; 0]);
    world.assert_rolled_back();
}
