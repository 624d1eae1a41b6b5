//! Nested requests that are given up, by the handler that sent them or by a middleware: they have failed.

use std::sync::Arc;
use std::time::Duration;

use diator::middleware::{Answered, Call, MessageInfo, Middleware, Next};
use diator::prelude::*;
use diator_testkit::{drop_after, yields};
use diator_tests::{Entry, Journal};

use super::messages::{Act, act, announced, happened, settled};
use super::nested::{assert_swallowed, failing};
use super::world::{Way, World, every_way};

every_way! {
    a_nested_request_that_timed_out_has_failed,
    a_nested_request_that_was_dropped_has_failed,
    /// A unit of work that is deeper than at its start must not commit.
    a_nested_request_that_was_forgotten_has_failed,
    a_nested_request_that_was_never_begun_has_not_failed,
    a_nested_request_that_a_middleware_refused_has_failed,
    a_nested_request_that_timed_out_in_a_middleware_has_failed,
    an_attempt_that_is_tried_again_has_failed,
}

/// Emits events of all kinds, and never answers.
fn hanging() -> Act {
    act(|cx| {
        cx.emit(happened("nested, dropped"));
        cx.emit(announced("nested, dropped"));
        cx.emit(settled("nested, dropped"));
        Box::pin(std::future::pending())
    })
}

async fn a_nested_request_that_timed_out_has_failed(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        Box::pin(async move {
            cx.emit(happened("before"));
            cx.emit(announced("before"));
            let answer = tokio::time::timeout(Duration::from_secs(1), cx.send(hanging())).await;
            assert!(answer.is_err(), "it times out");
            cx.emit(happened("after"));
            cx.emit(announced("after"));
            Ok(1)
        })
    });
    let sent = world.send(outer).await;
    assert_swallowed(&world, &sent);
}

async fn a_nested_request_that_was_dropped_has_failed(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        Box::pin(async move {
            cx.emit(happened("before"));
            cx.emit(announced("before"));
            let slow = act(|cx| {
                Box::pin(async move {
                    cx.emit(happened("nested, dropped"));
                    yields(10).await;
                    Ok(1)
                })
            });
            assert!(drop_after(3, cx.send_dyn(slow)).await.is_none(), "it is not done yet");
            cx.emit(happened("after"));
            cx.emit(announced("after"));
            Ok(1)
        })
    });
    let sent = world.send(outer).await;
    assert_swallowed(&world, &sent);
}

/// Where there is no scope, its events are all that there is to undo.
async fn a_nested_request_that_was_forgotten_has_failed(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        Box::pin(async move {
            let mut sending = Box::pin(cx.send(hanging()));
            assert!(tokio::time::timeout(Duration::from_secs(1), sending.as_mut()).await.is_err(), "it times out");
            std::mem::forget(sending);
            Ok(1)
        })
    });
    let sent = world.send(outer).await;
    world.settle().await;
    assert_eq!(world.published(), [""; 0], "half-done work is committed");
    let followed = world.notes().contains(&"nested, dropped too".to_owned());
    assert!(!followed, "half-done work is committed");
    if way.scoped {
        assert!(matches!(sent, Err(SendError::RolledBack)), "{sent:?}");
        world.assert_rolled_back();
    }
}

async fn a_nested_request_that_was_never_begun_has_not_failed(way: Way) {
    let world = World::new(way);
    let outer = act(|cx| {
        Box::pin(async move {
            cx.emit(happened("before"));
            drop(cx.send(failing()));
            cx.emit(happened("after"));
            Ok(1)
        })
    });
    assert_eq!(world.send(outer).await.expect("nothing has failed"), 1);
    assert_eq!(world.notes(), ["before", "after"]);
    world.assert_committed();
}

// --- A middleware that gives it up, although its handler has succeeded. --------------------------

/// Emits events of all kinds, and succeeds.
#[derive(Command)]
struct Hasty;

#[request_handler(Hasty)]
struct HastyHandler;

impl RequestHandler<Hasty> for HastyHandler {
    async fn handle(&self, _: Hasty, cx: &mut RequestContext<'_, Hasty>) -> Result<(), BoxError> {
        cx.emit(happened("nested, dropped"));
        cx.emit(announced("nested, dropped"));
        cx.emit(settled("nested, dropped"));
        Ok(())
    }
}

/// Refuses the request once it is handled, or never answers.
struct SecondThoughts {
    hang: bool,
}

#[diator::async_trait]
impl Middleware for SecondThoughts {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == Hasty::NAME
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let _handled = next.run(call).await;
        if self.hang {
            std::future::pending::<()>().await;
        }
        call.reject("on second thoughts")
    }
}

/// Sends what the middleware gives up, between events of the outer handler.
async fn assert_failed_in_the_middleware(way: Way, hang: bool) {
    let world =
        World::with(way, |builder, _| builder.handlers(handlers![HastyHandler]).middleware(SecondThoughts { hang }));
    let outer = act(|cx| {
        Box::pin(async move {
            cx.emit(happened("before"));
            cx.emit(announced("before"));
            let answer = tokio::time::timeout(Duration::from_secs(1), cx.send(Hasty)).await;
            assert!(!matches!(answer, Ok(Ok(()))), "it fails");
            cx.emit(happened("after"));
            cx.emit(announced("after"));
            Ok(1)
        })
    });
    let sent = world.send(outer).await;
    assert_swallowed(&world, &sent);
}

async fn a_nested_request_that_a_middleware_refused_has_failed(way: Way) {
    assert_failed_in_the_middleware(way, false).await;
}

async fn a_nested_request_that_timed_out_in_a_middleware_has_failed(way: Way) {
    assert_failed_in_the_middleware(way, true).await;
}

// --- A middleware that tries again. -------------------------------------------------------------

/// Emits an event in each attempt, and fails in the first.
#[derive(Clone, Command)]
#[request(idempotent)]
struct Clumsy;

#[request_handler(Clumsy)]
struct ClumsyHandler {
    journal: Arc<Journal>,
}

impl RequestHandler<Clumsy> for ClumsyHandler {
    async fn handle(&self, _: Clumsy, cx: &mut RequestContext<'_, Clumsy>) -> Result<(), BoxError> {
        let first = self.journal.count(&Entry::note("attempt")) == 0;
        self.journal.note("attempt");
        let label = if first { "first attempt, dropped" } else { "second attempt" };
        cx.emit(happened(label));
        cx.emit(announced(label));
        if first { Err("not yet".into()) } else { Ok(()) }
    }
}

/// Tries once more.
struct TryAgain;

#[diator::async_trait]
impl Middleware for TryAgain {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.idempotent
    }

    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let kept = call.clone_request().expect("it is idempotent");
        let handled = next.retry(call, &kept).await;
        match call.error() {
            Some(_) => next.retry(call, &kept).await,
            None => handled,
        }
    }
}

async fn an_attempt_that_is_tried_again_has_failed(way: Way) {
    let world = World::with(way, |builder, _| builder.handlers(handlers![ClumsyHandler]).middleware(TryAgain));
    let outer = act(|cx| {
        Box::pin(async move {
            cx.send(Clumsy).await.expect("the second attempt succeeds");
            Ok(1)
        })
    });
    let sent = world.send(outer).await;
    if way.scoped {
        assert!(matches!(sent, Err(SendError::RolledBack)), "what the first attempt wrote must not stay: {sent:?}");
        world.assert_rolled_back();
    } else {
        assert_eq!(sent.expect("there is nothing half done"), 1);
        assert_eq!(world.notes(), ["attempt", "attempt", "second attempt"]);
        assert_eq!(world.published(), ["second attempt"]);
    }
}
