//! Step 2, what a middleware wraps: all that follows, or just the handler of a nested request or an event.

use std::sync::Arc;
use std::time::Duration;

use diator::broker::PublishErrorKind;
use diator::container::CommitOutcome;
use diator::middleware::{Answered, Call, MessageInfo, Middleware, Next};
use diator::prelude::*;
use diator_tests::{Ending, Entry, Journal, Pace, SideLedger};

use super::messages::{Act, Booked, KeepBooks, act, announced, done, happened, happened_then, settled};
use super::world::{Sent, Way, World, every_way};

every_way! {
    the_first_that_is_added_sees_a_message_first,
    for_a_message_from_outside_it_wraps_all_that_follows,
    for_a_nested_request_it_wraps_just_the_handler,
    it_wraps_each_event_handler,
    it_wraps_handlers_after_the_commit,
    it_sees_the_real_outcome,
    what_it_gives_up_before_the_commit_is_undone,
    what_it_gives_up_after_the_commit_happens_all_the_same,
    what_it_refuses_is_not_begun,
}

/// Notes messages of one name as they come and go.
struct Trace {
    name: &'static str,
    message: &'static str,
    journal: Journal,
}

#[diator::async_trait]
impl Middleware for Trace {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == self.message
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        self.journal.note(format!("{} sees {}", self.name, self.message));
        let handled = next.run(call).await;
        let outcome = call.error().map_or_else(|| "done".to_owned(), ToString::to_string);
        self.journal.note(format!("{}: {outcome}", self.name));
        handled
    }
}

/// A world in which messages of one name are traced.
fn tracing(way: Way, message: &'static str) -> World {
    World::with(way, |builder, journal| builder.middleware(Trace { name: "trace", message, journal: journal.clone() }))
}

/// The message that comes from outside.
fn root(way: Way) -> &'static str {
    if way.is_nested() { "Relay" } else { "Act" }
}

fn noting(journal: &Journal, note: &'static str) -> Act {
    let journal = journal.clone();
    act(move |_| {
        journal.note(note);
        done(Ok(1))
    })
}

async fn the_first_that_is_added_sees_a_message_first(way: Way) {
    let world = World::with(way, |builder, journal| {
        let trace = |name| Trace { name, message: "Act", journal: journal.clone() };
        builder.middleware(trace("outer")).middleware(trace("inner"))
    });
    world.send(noting(&world.journal, "handling")).await.expect("it succeeds");
    assert_eq!(world.notes(), ["outer sees Act", "inner sees Act", "handling", "inner: done", "outer: done"]);
}

async fn for_a_message_from_outside_it_wraps_all_that_follows(way: Way) {
    let world = tracing(way, root(way));
    let everything = act(|cx| {
        cx.emit(announced("announced"));
        cx.emit(settled("settled"));
        cx.emit(Booked);
        done(Ok(1))
    });
    world.send(everything).await.expect("it succeeds");
    let end = world.journal.position(&Entry::note("trace: done"));
    assert!(world.journal.position(&Entry::Ended(0, Ending::Committed)) < end);
    assert!(world.journal.position(&Entry::note("settled too")) < end);
    assert!(world.journal.position(&Entry::Published("announced".into())) < end);
}

async fn for_a_nested_request_it_wraps_just_the_handler(way: Way) {
    let world = tracing(way, "KeepBooks");
    let journal = world.journal.clone();
    let outer = act(move |cx| {
        Box::pin(async move {
            cx.emit(happened("event"));
            cx.send(KeepBooks).await.expect("it succeeds");
            journal.note("the outer handler goes on");
            Ok(1)
        })
    });
    world.send(outer).await.expect("it succeeds");
    let expected = ["trace sees KeepBooks", "kept in scope 0", "trace: done", "the outer handler goes on", "event"];
    assert_eq!(world.notes(), expected);
}

async fn it_wraps_each_event_handler(way: Way) {
    let world = tracing(way, "Happened");
    let twice = act(|cx| {
        cx.emit(happened("a"));
        cx.emit(happened_then("b", |_| done(Err("the room is closed".into()))));
        done(Ok(1))
    });
    assert!(world.send(twice).await.is_err());
    let notes = world.notes();
    assert_eq!(notes[..5], ["trace sees Happened", "a", "trace: done", "trace sees Happened", "b"]);
    assert!(notes[5].contains("the room is closed"), "{notes:?}");
}

async fn it_wraps_handlers_after_the_commit(way: Way) {
    let world = tracing(way, "Settled");
    let settling = act(|cx| {
        cx.emit(settled("a"));
        done(Ok(1))
    });
    world.send(settling).await.expect("it succeeds");
    let expected = ["trace sees Settled", "a", "trace: done", "trace sees Settled", "a too", "trace: done"];
    assert_eq!(world.notes(), expected);
}

async fn it_sees_the_real_outcome(way: Way) {
    let booking = || {
        act(|cx| {
            cx.emit(Booked);
            cx.emit(announced("a"));
            done(Ok(1))
        })
    };
    let seen = async |prepare: fn(&World)| {
        let world = tracing(way, root(way));
        prepare(&world);
        let error = world.send(booking()).await.expect_err("something fails").to_string();
        assert_eq!(world.notes().last(), Some(&format!("trace: {error}")));
        error
    };
    let commit = seen(|world| world.container.fail_to_commit(CommitOutcome::RolledBack)).await;
    assert!(commit.contains("commit"), "{commit}");
    let publishing = seen(|world| world.broker.memory().refuse(PublishErrorKind::Fatal)).await;
    assert!(publishing.contains("was not published"), "{publishing}");
}

// --- A middleware that gives up. ----------------------------------------------------------------

/// Refuses the message from outside if it takes more than a second.
struct GiveUp(&'static str);

#[diator::async_trait]
impl Middleware for GiveUp {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == self.0
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let answer = tokio::time::timeout(Duration::from_secs(1), next.run(call)).await;
        answer.unwrap_or_else(|_| call.reject("it took too long"))
    }
}

fn giving_up(way: Way) -> World {
    World::with(way, |builder, _| builder.middleware(GiveUp(root(way))))
}

fn assert_rejected(sent: &Sent, reason: &str) {
    let Err(SendError::Rejected { middleware, source, .. }) = sent else { panic!("it is refused: {sent:?}") };
    assert!(middleware.contains("GiveUp"), "{middleware}");
    assert_eq!(source.to_string(), reason);
}

async fn what_it_gives_up_before_the_commit_is_undone(way: Way) {
    let world = giving_up(way);
    let hanging = act(|cx| {
        Box::pin(async move {
            cx.emit(announced("never"));
            cx.emit(settled("never"));
            cx.send(KeepBooks).await.expect("it opens a scope");
            std::future::pending().await
        })
    });
    assert_rejected(&world.send(hanging).await, "it took too long");
    world.settle().await;
    assert_eq!(world.notes(), ["kept in scope 0"]);
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.endings(), [Ending::Dropped]);
}

async fn what_it_gives_up_after_the_commit_happens_all_the_same(way: Way) {
    let world = giving_up(way);
    world.container.close(Pace::Yielding(1));
    world.broker.memory().hang();
    let announcing = act(|cx| {
        cx.emit(Booked);
        cx.emit(announced("a"));
        cx.emit(settled("b"));
        done(Ok(1))
    });
    assert!(world.send(announcing).await.is_err(), "the middleware gave up");
    world.broker.memory().accept();
    world.settle().await;
    assert_eq!(world.notes(), ["booked in scope 0", "b", "b too"]);
    assert_eq!(world.published(), ["a"]);
    assert_eq!(world.endings(), [Ending::Committed; 2]);
}

/// Refuses every message of one name.
struct Refuse(&'static str);

#[diator::async_trait]
impl Middleware for Refuse {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == self.0
    }

    async fn handle(&self, call: &mut Call<'_>, _: Next<'_>) -> Answered {
        call.reject("not today")
    }
}

async fn what_it_refuses_is_not_begun(way: Way) {
    let world = World::with(way, |builder, _| builder.middleware(Refuse("Act")));
    let sent = world.send(noting(&world.journal, "never")).await;
    assert!(matches!(sent, Err(SendError::Rejected { .. })), "{sent:?}");
    assert_eq!(world.notes(), [""; 0]);
    assert_eq!(world.endings(), []);
}

// --- A middleware that tries again. -------------------------------------------------------------

/// Fails until its last attempt, and emits an event each time.
#[derive(Clone, Command)]
#[request(idempotent)]
struct Stubborn;

#[request_handler(Stubborn)]
struct StubbornHandler {
    journal: Arc<Journal>,
    ledger: Arc<SideLedger>,
}

impl RequestHandler<Stubborn> for StubbornHandler {
    async fn handle(&self, _: Stubborn, cx: &mut RequestContext<'_, Stubborn>) -> Result<(), BoxError> {
        let scope = self.ledger.scope;
        self.journal.note(format!("attempt in scope {scope}"));
        cx.emit(happened(format!("event of scope {scope}")));
        cx.emit(announced(format!("message of scope {scope}")));
        if scope < 2 { Err("not yet".into()) } else { Ok(()) }
    }
}

/// Tries three times.
struct Retry;

#[diator::async_trait]
impl Middleware for Retry {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.idempotent
    }

    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let kept = call.clone_request().expect("it is idempotent");
        let mut handled = next.retry(call, &kept).await;
        for _ in 0..2 {
            if call.error().is_some() {
                handled = next.retry(call, &kept).await;
            }
        }
        handled
    }
}

/// What a retry that succeeds at the third attempt leaves behind.
fn assert_one_of_three_attempts_happened(world: &World) {
    let attempts = ["attempt in scope 0", "attempt in scope 1", "attempt in scope 2"];
    assert_eq!(world.notes(), [&attempts[..], &["event of scope 2"]].concat());
    assert_eq!(world.published(), ["message of scope 2"]);
    assert_eq!(world.endings(), [Ending::RolledBack, Ending::RolledBack, Ending::Committed]);
}

fn retrying() -> World {
    World::with(Way::SEND, |builder, _| builder.handlers(handlers![StubbornHandler]).middleware(Retry))
}

#[tokio::test]
async fn each_attempt_of_a_retried_send_has_its_own_scope_and_events() {
    let world = retrying();
    world.mediator.send(Stubborn).await.expect("the third attempt succeeds");
    assert_one_of_three_attempts_happened(&world);
}

#[tokio::test]
async fn each_attempt_of_a_retried_send_dyn_has_its_own_scope_and_events() {
    let world = retrying();
    world.mediator.send_dyn(Stubborn).await.expect("the third attempt succeeds");
    assert_one_of_three_attempts_happened(&world);
}
