//! Step 10, panics: they unwind to the caller, undo what is not committed, and leave the mediator usable.

use diator::Committed;
use diator::SendError;
use diator::broker::PublishErrorKind;
use diator::container::CommitOutcome;
use diator::middleware::{Answered, Call, Middleware, Next};
use diator_testkit::yields;
use diator_tests::{Ending, Entry, Pace};

use super::messages::{Act, Booked, KeepBooks, act, announced, done, happened, happened_then, settled, settled_then};
use super::world::{Way, World, every_way};

every_way! {
    a_panic_in_the_handler_undoes_the_message,
    a_panic_between_two_polls_undoes_the_message,
    a_panic_in_a_domain_event_handler_undoes_the_message,
    a_panic_in_a_nested_handler_unwinds_through_the_outer_one,
    a_panic_in_a_middleware_undoes_the_message,
    a_panic_in_the_commit_lets_nothing_out,
    a_panic_in_a_slow_commit_lets_nothing_out,
    a_panic_in_the_hook_harms_nobody_else,
    a_panic_after_the_commit_stops_neither_handlers_nor_publishing,
    a_panic_of_the_broker_loses_no_message,
}

/// The message panics; nothing of it has happened, and the mediator goes on.
async fn assert_panic_undoes(world: World, panicking: Act) {
    let sent = tokio::spawn(world.send(panicking)).await;
    assert!(sent.expect_err("it panics").is_panic(), "it unwinds to the caller");
    let endings = world.endings();
    assert!(matches!(endings[..], [] | [Ending::Dropped | Ending::RolledBack]), "{endings:?}");
    assert_eq!(world.published(), [""; 0]);
    assert!(!world.notes().contains(&"never".to_owned()), "{:?}", world.notes());
    assert_usable(&world).await;
}

/// The next message succeeds, and nothing is left that a shutdown would wait for.
async fn assert_usable(world: &World) {
    let next = act(|cx| {
        cx.emit(happened("next"));
        done(Ok(2))
    });
    assert_eq!(world.send(next).await.expect("the next message succeeds"), 2);
    assert_eq!(world.journal.count(&Entry::note("next")), 1);
    world.settle().await;
}

async fn a_panic_in_the_handler_undoes_the_message(way: Way) {
    let panicking = act(|cx| {
        cx.emit(announced("never"));
        cx.emit(happened("never"));
        panic!("in the handler");
    });
    assert_panic_undoes(World::new(way), panicking).await;
}

async fn a_panic_between_two_polls_undoes_the_message(way: Way) {
    let panicking = act(|cx| {
        Box::pin(async move {
            cx.send(KeepBooks).await.expect("it opens a scope");
            cx.emit(announced("never"));
            yields(2).await;
            panic!("later in the handler");
        })
    });
    let world = World::new(way);
    let journal = world.journal.clone();
    assert_panic_undoes(world, panicking).await;
    assert_eq!(journal.count(&Entry::Ended(0, Ending::Dropped)), 1);
}

async fn a_panic_in_a_domain_event_handler_undoes_the_message(way: Way) {
    let panicking = act(|cx| {
        cx.emit(Booked);
        cx.emit(happened_then("event", |_| panic!("in the event's handler")));
        cx.emit(happened("never"));
        cx.emit(settled("never"));
        cx.emit(announced("never"));
        done(Ok(1))
    });
    assert_panic_undoes(World::new(way), panicking).await;
}

async fn a_panic_in_a_nested_handler_unwinds_through_the_outer_one(way: Way) {
    let world = World::new(way);
    let journal = world.journal.clone();
    let panicking = act(move |cx| {
        Box::pin(async move {
            cx.emit(announced("never"));
            let answer = cx.send(act(|_| panic!("in the nested handler"))).await;
            journal.note("never");
            Ok(answer?)
        })
    });
    assert_panic_undoes(world, panicking).await;
}

/// Lets the message be handled, and panics unless it is told the next one.
struct Panic;

#[diator::async_trait]
impl Middleware for Panic {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        assert!(call.meta().get::<Explosive>().is_none(), "in the middleware");
        next.run(call).await
    }
}

/// What makes the middleware panic.
struct Explosive;

async fn a_panic_in_a_middleware_undoes_the_message(way: Way) {
    let world = World::with(way, |builder, _| builder.middleware(Panic));
    let announcing = act(|cx| {
        cx.emit(announced("never"));
        done(Ok(1))
    });
    let meta = diator::Meta::new().with(Explosive);
    assert!(tokio::spawn(world.send_with(meta, announcing)).await.is_err_and(|error| error.is_panic()));
    assert_eq!(world.journal.entries(), []);
    assert_usable(&world).await;
}

// --- From the commit on. ------------------------------------------------------------------------

/// Nobody can say what became of a commit that panicked, so nothing follows it.
async fn assert_panicking_commit_lets_nothing_out(world: World) {
    world.container.panic_at_commit();
    let committing = act(|cx| {
        cx.emit(Booked);
        cx.emit(announced("never"));
        cx.emit(settled("never"));
        done(Ok(1))
    });
    match tokio::spawn(world.send(committing)).await {
        Err(unwound) => assert!(unwound.is_panic()),
        Ok(sent) => assert!(
            matches!(sent, Err(SendError::Commit { outcome: CommitOutcome::Unknown, .. })),
            "it may have been written or not: {sent:?}"
        ),
    }
    assert_eq!(world.notes(), ["booked in scope 0"]);
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::Interrupted]);
    world.container.recover();
    assert_usable(&world).await;
}

async fn a_panic_in_the_commit_lets_nothing_out(way: Way) {
    assert_panicking_commit_lets_nothing_out(World::new(way)).await;
}

async fn a_panic_in_a_slow_commit_lets_nothing_out(way: Way) {
    let world = World::new(way);
    world.container.close(Pace::Yielding(2));
    assert_panicking_commit_lets_nothing_out(world).await;
}

async fn a_panic_in_the_hook_harms_nobody_else(way: Way) {
    let world = World::with(way, |builder, _| builder.on_undelivered(|_| panic!("in the hook")));
    world.broker.memory().refuse(PublishErrorKind::Fatal);
    let announcing = act(|cx| {
        cx.emit(announced("a"));
        cx.emit(settled("b"));
        done(Ok(1))
    });
    let _whatever = tokio::spawn(world.send(announcing)).await;
    assert_eq!(world.notes(), ["b", "b too"]);
    world.broker.memory().accept();
    assert_usable(&world).await;
}

async fn a_panic_after_the_commit_stops_neither_handlers_nor_publishing(way: Way) {
    let world = World::new(way);
    let panicking = act(|cx| {
        cx.emit(Booked);
        cx.emit(settled_then("a", |_| panic!("after the commit")));
        cx.emit(settled("b"));
        cx.emit(announced("c"));
        done(Ok(7))
    });
    let sent = tokio::spawn(world.send(panicking)).await.expect("the caller is told, not unwound");
    let error = sent.expect_err("a handler has panicked");
    assert_eq!(error.committed(), Committed::Yes, "{error:?}");
    assert_eq!(error.into_committed_response::<u32>().expect("the response is there"), 7);
    assert_eq!(world.notes(), ["booked in scope 0", "a", "a too", "b", "b too"]);
    assert_eq!(world.published(), ["c"]);
    assert_eq!(world.endings(), [Ending::Committed, Ending::Dropped, Ending::Committed]);
    assert_usable(&world).await;
}

async fn a_panic_of_the_broker_loses_no_message(way: Way) {
    let world = World::new(way);
    world.broker.panicking(true);
    let announcing = act(|cx| {
        cx.emit(Booked);
        cx.emit(announced("a"));
        cx.emit(settled("b"));
        cx.emit(announced("c"));
        done(Ok(7))
    });
    let sent = tokio::spawn(world.send(announcing)).await.expect("the caller is told, not unwound");
    let Err(SendError::Undelivered(undelivered)) = sent else { panic!("two are undelivered: {sent:?}") };
    let told: Vec<_> = undelivered.messages().iter().filter_map(|again| again.message.key.as_deref()).collect();
    assert_eq!(told, ["a", "c"], "each of them once, in their order");
    assert_eq!(world.notes(), ["booked in scope 0", "b", "b too"]);
    world.broker.panicking(false);
    assert_usable(&world).await;
}
