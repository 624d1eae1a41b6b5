//! Step 8, handlers that run after the commit: all of them, each in a unit of work of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::Committed;
use diator::prelude::*;
use diator::{CascadeLimit, DeliveryFailure, Undelivered};
use diator_tests::{Ending, Entry, Journal, Pace};
use tokio::sync::Semaphore;

use super::messages::{
    Act, Booked, Happened, Settled, act, announced, done, happened, happened_then, refuse, settled, settled_then,
};
use super::world::{Sent, Way, World, every_way};

every_way! {
    they_run_after_the_commit,
    they_do_not_run_for_a_message_that_fails,
    one_event_may_have_handlers_on_both_sides_of_the_commit,
    they_run_in_order,
    all_of_them_run_although_one_fails,
    each_runs_in_a_unit_of_work_of_its_own,
    one_that_fails_rolls_back_its_own_work_only,
    of_one_whose_commit_panics_nobody_knows_whether_it_is_committed,
    what_they_emit_happens_with_their_own_commit,
    what_a_failing_one_emits_is_dropped,
    what_they_cannot_publish_is_reported_with_the_rest,
    an_event_that_causes_itself_after_each_commit_ends,
    events_that_multiply_after_each_commit_end,
    a_deep_event_does_not_count_against_a_shallow_one,
    one_that_never_returns_keeps_no_event_from_leaving,
    what_they_emit_leaves_after_the_broker_has_answered_for_its_cause,
    what_they_emit_leaves_although_the_broker_refused_its_cause,
}

/// A command that emits these events and answers 1.
fn settling(events: Vec<Settled>) -> Act {
    act(move |cx| {
        events.into_iter().for_each(|event| cx.emit(event));
        done(Ok(1))
    })
}

fn failing(label: &str) -> Settled {
    settled_then(label, |cx| {
        cx.emit(happened("never handled"));
        cx.emit(announced("never announced"));
        done(Err("the mail server is away".into()))
    })
}

#[track_caller]
fn undelivered(sent: Sent) -> Undelivered {
    match sent {
        Err(SendError::Undelivered(undelivered)) => *undelivered,
        other => panic!("something is undelivered: {other:?}"),
    }
}

async fn they_run_after_the_commit(way: Way) {
    let world = World::new(way);
    let sent = act(|cx| {
        cx.emit(settled("settled"));
        cx.emit(Booked);
        cx.emit(happened("happened"));
        done(Ok(1))
    });
    world.send(sent).await.expect("it succeeds");
    assert_eq!(world.notes(), ["booked in scope 0", "happened", "settled", "settled too"]);
    let committed = world.journal.position(&Entry::Ended(0, Ending::Committed));
    assert!(committed < world.journal.position(&Entry::note("settled")));
}

async fn one_that_never_returns_keeps_no_event_from_leaving(way: Way) {
    let world = World::new(way);
    let gate = Arc::new(Semaphore::new(0));
    let waiting = gate.clone();
    let sent = act(move |cx| {
        cx.emit(announced("a"));
        cx.emit(settled_then("waiting", move |_| {
            let waiting = waiting.clone();
            Box::pin(async move {
                drop(waiting.acquire().await);
                Ok(())
            })
        }));
        cx.emit(announced("b"));
        done(Ok(1))
    });
    let sending = tokio::spawn(world.send(sent));
    let published = world.broker.memory().published_at_least(2);
    let published = tokio::time::timeout(std::time::Duration::from_secs(30), published).await.expect("they leave");
    let keys: Vec<_> = published.iter().filter_map(|message| message.key.as_deref()).collect();
    assert_eq!(keys, ["a", "b"], "in the order in which they were emitted");
    assert!(!sending.is_finished());
    gate.close();
    sending.await.expect("it does not panic").expect("it succeeds");
}

/// A command whose notification is published while its event's handler emits another one.
fn caused_and_causing() -> Act {
    act(|cx| {
        cx.emit(settled_then("settled", |cx| {
            cx.emit(announced("caused"));
            cx.emit(settled_then("settled again", |cx| {
                cx.emit(announced("caused by what was caused"));
                done(Ok(()))
            }));
            done(Ok(()))
        }));
        cx.emit(announced("cause"));
        done(Ok(1))
    })
}

async fn what_they_emit_leaves_after_the_broker_has_answered_for_its_cause(way: Way) {
    let world = World::new(way);
    world.broker.yielding(20);
    world.send(caused_and_causing()).await.expect("it succeeds");
    assert_eq!(world.published(), ["cause", "caused", "caused by what was caused"]);
}

async fn what_they_emit_leaves_although_the_broker_refused_its_cause(way: Way) {
    let world = World::new(way);
    world.broker.memory().refuse_if(|message| {
        (message.key.as_deref() == Some("cause")).then(|| diator::PublishError::transient("not now"))
    });
    let undelivered = undelivered(world.send(caused_and_causing()).await);
    let again: Vec<_> = undelivered.messages().iter().filter_map(|again| again.message.key.as_deref()).collect();
    assert_eq!(
        (again, world.published()),
        (vec!["cause"], vec!["caused".to_owned(), "caused by what was caused".to_owned()])
    );
}

async fn they_do_not_run_for_a_message_that_fails(way: Way) {
    let world = World::new(way);
    let sent = act(|cx| {
        cx.emit(settled("settled"));
        done(refuse("after all"))
    });
    assert!(world.send(sent).await.is_err());
    assert_eq!(world.notes(), [""; 0]);
}

/// Handles before the commit what others handle after it.
#[event_handler(Settled)]
struct Prepare {
    journal: Arc<Journal>,
}

impl EventHandler<Settled> for Prepare {
    async fn handle(&self, _: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note("prepared");
        Ok(())
    }
}

async fn one_event_may_have_handlers_on_both_sides_of_the_commit(way: Way) {
    let world = World::with(way, |builder, _| builder.handlers(handlers![Prepare]));
    let sent = act(|cx| {
        cx.emit(settled("a"));
        cx.emit(Booked);
        done(Ok(1))
    });
    world.send(sent).await.expect("it succeeds");
    assert_eq!(world.notes(), ["prepared", "booked in scope 0", "a", "a too"]);
    assert!(world.journal.position(&Entry::note("prepared")) < world.journal.position(&Entry::CommitBegun(0)));
}

/// Comes last by its `order`, although its path comes before that of the other handlers.
#[event_handler(Settled, after_commit, order = 3)]
struct FollowLast {
    journal: Arc<Journal>,
}

impl EventHandler<Settled> for FollowLast {
    async fn handle(&self, _: &Settled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note("last of all");
        Ok(())
    }
}

async fn they_run_in_order(way: Way) {
    let world = World::with(way, |builder, _| builder.handlers(handlers![FollowLast]));
    world.send(settling(vec![settled("a"), settled("b")])).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "a too", "last of all", "b", "b too", "last of all"]);
}

async fn all_of_them_run_although_one_fails(way: Way) {
    let world = World::new(way);
    let sent = world.send(settling(vec![settled("a"), failing("b"), failing("c"), settled("d")])).await;
    assert_eq!(world.notes(), ["a", "a too", "b", "b too", "c", "c too", "d", "d too"]);
    let undelivered = undelivered(sent);
    assert_eq!(undelivered.messages(), []);
    let [first, second] = undelivered.failures() else { panic!("two of them failed: {undelivered:?}") };
    for failure in [first, second] {
        let DeliveryFailure::AfterCommit { event: "Settled", handler, source } = failure else {
            panic!("it is a handler that failed: {failure:?}")
        };
        assert!(handler.ends_with("Follow"), "{handler}");
        assert_eq!(source.to_string(), "the mail server is away");
    }
}

async fn each_runs_in_a_unit_of_work_of_its_own(way: Way) {
    let world = World::new(way);
    world.send(settling(vec![settled("a"), settled("b")])).await.expect("it succeeds");
    // `Follow` needs a scope, `FollowToo` does not.
    let of_the_message = usize::from(way.scoped);
    assert_eq!(world.endings(), vec![Ending::Committed; of_the_message + 2]);
}

async fn one_that_fails_rolls_back_its_own_work_only(way: Way) {
    let world = World::new(way);
    let error = world.send(settling(vec![failing("a"), settled("b")])).await.expect_err("one fails");
    assert_eq!(error.committed(), Committed::Yes);
    let own = if way.scoped { vec![Ending::Committed] } else { vec![] };
    assert_eq!(world.endings(), [own, vec![Ending::RolledBack, Ending::Committed]].concat());
}

async fn of_one_whose_commit_panics_nobody_knows_whether_it_is_committed(way: Way) {
    for pace in [Pace::AtOnce, Pace::Yielding(1)] {
        let world = World::new(way);
        world.container.close(pace);
        let container = world.container.clone();
        let panicking = settled_then("a", move |cx| {
            container.panic_at_commit();
            cx.emit(announced("announced by a"));
            done(Ok(()))
        });
        let undelivered = undelivered(world.send(settling(vec![panicking])).await);
        let [DeliveryFailure::AfterCommit { source, .. }] = undelivered.failures() else {
            panic!("one of them failed: {undelivered:?}")
        };
        let error = source.downcast_ref::<SendError<BoxError>>().expect("it is more than a failed handler");
        assert_eq!(error.committed(), Committed::Unknown, "{pace:?}: {error:?}");
        assert_eq!(world.published(), [""; 0]);
    }
}

async fn what_they_emit_happens_with_their_own_commit(way: Way) {
    let world = World::new(way);
    let emitting = settled_then("a", |cx| {
        cx.emit(happened("caused by a"));
        cx.emit(announced("announced by a"));
        done(Ok(()))
    });
    world.send(settling(vec![emitting])).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "caused by a", "a too"]);
    assert_eq!(world.published(), ["announced by a"]);
    let its_commit = Entry::Ended(usize::from(way.scoped), Ending::Committed);
    assert!(world.journal.position(&its_commit) < world.journal.position(&Entry::Published("announced by a".into())));
}

async fn what_a_failing_one_emits_is_dropped(way: Way) {
    let world = World::new(way);
    assert!(world.send(settling(vec![failing("a")])).await.is_err());
    assert_eq!(world.notes(), ["a", "a too"]);
    assert_eq!(world.published(), [""; 0]);
}

async fn what_they_cannot_publish_is_reported_with_the_rest(way: Way) {
    let world = World::new(way);
    world.broker.memory().refuse(diator::broker::PublishErrorKind::Fatal);
    let announcing = settled_then("a", |cx| {
        cx.emit(announced("announced by a"));
        done(Ok(()))
    });
    let undelivered = undelivered(world.send(settling(vec![announcing])).await);
    let unsent: Vec<_> = undelivered.messages().iter().filter_map(|again| again.message.key.as_deref()).collect();
    assert_eq!(unsent, ["announced by a"], "nothing is lost");
}

/// An event that its handler emits again.
fn again() -> Settled {
    settled_then("again", |cx| {
        cx.emit(again());
        done(Ok(()))
    })
}

async fn an_event_that_causes_itself_after_each_commit_ends(way: Way) {
    let world = World::new(way);
    let undelivered = undelivered(world.send(settling(vec![again()])).await);
    let rounds = world.journal.count(&Entry::note("again"));
    assert!((32..=64).contains(&rounds), "{rounds} rounds, and no more than 64 levels");
    let [DeliveryFailure::AfterCommit { source, .. }] = undelivered.failures() else {
        panic!("the last one is told: {undelivered:?}")
    };
    let cascade = source.downcast_ref::<SendError<BoxError>>();
    assert!(matches!(cascade, Some(SendError::Cascade { limit: CascadeLimit::Depth(64), .. })), "{source:?}");
}

/// An event that its handler emits twice, until it was handled so often that no limit can be in force.
fn multiplying(handled: Arc<AtomicUsize>) -> Settled {
    settled_then("again", move |cx| {
        if handled.fetch_add(1, Ordering::Relaxed) < 15_000 {
            cx.emit(multiplying(handled.clone()));
            cx.emit(multiplying(handled.clone()));
        }
        done(Ok(()))
    })
}

async fn events_that_multiply_after_each_commit_end(way: Way) {
    let world = World::new(way);
    let handled = Arc::new(AtomicUsize::new(0));
    let sent = world.send(settling(vec![multiplying(handled.clone())])).await;
    let handled = handled.load(Ordering::Relaxed);
    assert!(handled <= 10_001, "there is a limit to what one message causes, and {handled} were handled");
    let undelivered = undelivered(sent);
    let limits =
        undelivered.failures().iter().filter(|failure| format!("{failure:?}").contains("limit: Events(10000)"));
    assert!(limits.count() > 0, "{undelivered:?}");
}

/// A domain event at the end of a chain of so many.
fn chain(levels: usize) -> Happened {
    happened_then("link", move |cx| {
        if levels > 1 {
            cx.emit(chain(levels - 1));
        }
        done(Ok(()))
    })
}

async fn a_deep_event_does_not_count_against_a_shallow_one(way: Way) {
    let world = World::new(way);
    let sent = act(move |cx| {
        cx.emit(settled_then("shallow", |cx| {
            cx.emit(happened("caused by the shallow one"));
            done(Ok(()))
        }));
        cx.emit(chain(if way.is_nested() { 63 } else { 64 }));
        done(Ok(1))
    });
    world.send(sent).await.expect("neither of them is too deep");
    assert_eq!(world.journal.count(&Entry::note("caused by the shallow one")), 1);
}
