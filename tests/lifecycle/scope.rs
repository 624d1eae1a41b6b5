//! Step 3, the scope: opened when it is needed, once for all that a message causes.

use std::error::Error;
use std::sync::Arc;

use diator::MessageKind;
use diator::prelude::*;
use diator_tests::{Ending, Entry, Pace, SideLedger};

use super::messages::{Act, Booked, KeepBooks, act, announced, done, happened, refuse};
use super::world::{Way, World, every_way};

every_way! {
    no_scope_is_opened_for_a_message_that_needs_none,
    a_scope_is_opened_when_the_first_scoped_service_is_asked_for,
    handlers_events_and_nested_requests_share_one_scope,
    a_scope_may_be_opened_by_a_nested_request,
    two_messages_have_two_scopes,
    a_container_may_take_its_time,
    a_service_that_cannot_be_had_fails_the_message,
    a_scope_that_cannot_be_opened_fails_the_message,
    a_message_that_fails_late_rolls_back_a_late_scope,
}

/// Emits an event whose handler needs a scope.
fn booking() -> Act {
    act(|cx| {
        cx.emit(Booked);
        done(Ok(1))
    })
}

async fn no_scope_is_opened_for_a_message_that_needs_none(way: Way) {
    let world = World::new(way);
    let plain = act(|cx| {
        cx.emit(happened("a"));
        cx.emit(announced("b"));
        done(Ok(1))
    });
    world.send(plain).await.expect("it succeeds");
    let opened = world.journal.count(&Entry::Opened(0));
    assert_eq!(opened, usize::from(way.scoped), "only where the handler needs one");
    assert_eq!(world.published(), ["b"]);
}

async fn a_scope_is_opened_when_the_first_scoped_service_is_asked_for(way: Way) {
    let world = World::new(way);
    let journal = world.journal.clone();
    let late = act(move |cx| {
        journal.note("handling");
        cx.emit(Booked);
        done(Ok(1))
    });
    world.send(late).await.expect("it succeeds");
    let opened = world.journal.position(&Entry::Opened(0));
    let handled = world.journal.position(&Entry::note("handling"));
    assert_eq!(opened < handled, way.scoped, "by the handler if it needs it, else by the event's handler");
    assert_eq!(world.endings(), [Ending::Committed]);
    assert_eq!(world.container.opened_as(), [MessageKind::Command], "it is the command's, whoever needs it first");
}

async fn handlers_events_and_nested_requests_share_one_scope(way: Way) {
    let world = World::new(way);
    let sharing = act(|cx| {
        Box::pin(async move {
            cx.emit(Booked);
            cx.send(act(|cx| {
                cx.emit(Booked);
                done(Ok(0))
            }))
            .await?;
            Ok(1)
        })
    });
    world.send(sharing).await.expect("it succeeds");
    assert_eq!(world.notes(), ["booked in scope 0", "booked in scope 0"]);
    assert_eq!(world.endings(), [Ending::Committed]);
}

async fn a_scope_may_be_opened_by_a_nested_request(way: Way) {
    let world = World::new(way);
    let opening = act(|cx| {
        Box::pin(async move {
            for _ in 0..2 {
                cx.send(KeepBooks).await.expect("it succeeds");
            }
            cx.emit(Booked);
            Ok(1)
        })
    });
    world.send(opening).await.expect("it succeeds");
    assert_eq!(world.notes(), ["kept in scope 0", "kept in scope 0", "booked in scope 0"]);
    assert_eq!(world.endings(), [Ending::Committed]);
}

async fn two_messages_have_two_scopes(way: Way) {
    let world = World::new(way);
    world.send(booking()).await.expect("it succeeds");
    world.send(booking()).await.expect("it succeeds");
    assert_eq!(world.notes(), ["booked in scope 0", "booked in scope 1"]);
    assert_eq!(world.endings(), [Ending::Committed; 2]);
}

async fn a_container_may_take_its_time(way: Way) {
    let world = World::new(way);
    world.container.open(Pace::Yielding(3));
    world.container.resolve(Pace::Yielding(2));
    world.container.close(Pace::Yielding(4));
    assert_eq!(world.send(booking()).await.expect("it succeeds"), 1);
    assert_eq!(world.notes(), ["booked in scope 0"]);
    assert_eq!(world.endings(), [Ending::Committed]);
}

async fn a_service_that_cannot_be_had_fails_the_message(way: Way) {
    let world = World::new(way);
    world.container.fail_to_resolve();
    let error = world.send(booking()).await.expect_err("the service is missing");
    match (&error, way.scoped) {
        (SendError::Resolve { handler, .. }, true) => assert!(handler.ends_with("Actor"), "{handler}"),
        (SendError::Event { event: "Booked", handler, .. }, false) => assert!(handler.ends_with("Book"), "{handler}"),
        _ => panic!("nobody is told whose service is missing: {error:?}"),
    }
    assert!(chain(&error).contains("the connection broke"), "{}", chain(&error));
    assert_eq!(world.endings(), [Ending::RolledBack]);

    world.container.recover();
    world.send(booking()).await.expect("the next message is not concerned");
}

async fn a_scope_that_cannot_be_opened_fails_the_message(way: Way) {
    let world = World::new(way);
    world.container.fail_to_open();
    let error = world.send(booking()).await.expect_err("there is no scope");
    match (&error, way.scoped) {
        (SendError::Scope(_), true) | (SendError::Event { event: "Booked", .. }, false) => {}
        _ => panic!("nobody is told who needed the scope: {error:?}"),
    }
    assert!(chain(&error).ends_with("no connection is left"), "{}", chain(&error));
    assert_eq!(world.endings(), []);

    world.container.recover();
    world.send(booking()).await.expect("a retry can help");
}

/// An error and its sources, one after the other.
fn chain(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn a_message_that_fails_late_rolls_back_a_late_scope(way: Way) {
    let world = World::new(way);
    let late = act(|cx| {
        Box::pin(async move {
            cx.send(KeepBooks).await.expect("it succeeds");
            refuse("after all")
        })
    });
    assert!(matches!(world.send(late).await, Err(SendError::Handler(_))));
    assert_eq!(world.endings(), [Ending::RolledBack]);
}

// --- Queries. -----------------------------------------------------------------------------------

/// Answers in which scope its handler runs.
#[derive(Query)]
#[request(response = usize)]
struct WhichScope;

#[request_handler(WhichScope)]
struct WhichScopeHandler {
    ledger: Arc<SideLedger>,
}

impl RequestHandler<WhichScope> for WhichScopeHandler {
    async fn handle(&self, _: WhichScope, _: &mut RequestContext<'_, WhichScope>) -> Result<usize, BoxError> {
        Ok(self.ledger.scope)
    }
}

/// Asks twice.
#[derive(Query)]
#[request(response = (usize, usize))]
struct AskTwice;

#[request_handler(AskTwice)]
struct AskTwiceHandler;

impl RequestHandler<AskTwice> for AskTwiceHandler {
    async fn handle(&self, _: AskTwice, cx: &mut RequestContext<'_, AskTwice>) -> Result<(usize, usize), BoxError> {
        Ok((cx.send(WhichScope).await?, cx.send_dyn(WhichScope).await?))
    }
}

#[tokio::test]
async fn a_query_has_a_scope_like_a_command() {
    let world = World::with(Way::SEND, |builder, _| builder.handlers(handlers![WhichScopeHandler, AskTwiceHandler]));
    assert_eq!(world.mediator.send(AskTwice).await.expect("it succeeds"), (0, 0));
    assert_eq!(world.mediator.send_dyn(WhichScope).await.expect("it succeeds"), 1);
    assert_eq!(world.endings(), [Ending::Committed; 2]);
}
