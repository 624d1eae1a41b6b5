//! Several attempts at one nested request, and middleware that answers in its place.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use diator::SendError;
use diator::middleware::{Answered, Call, Middleware, Next};

use super::ledger::{Bank, Delay, services};
use super::script::{Emit, Fail, FailOnce, Hang, Step, Try, Write, Writing, configured};

/// What the middleware does with a nested request.
#[derive(Clone, Copy)]
enum Manner {
    /// As many attempts as it takes.
    TryAgain,
    /// `Ok`, whatever came of it in a second.
    Excuse,
    /// An error, whatever came of it in a second.
    Refuse,
    /// An error, and no attempt.
    RefuseAtOnce,
    /// An error, while the attempt is neither finished nor dropped.
    Leak,
    /// Two attempts, of which the second is dropped while it undoes the first; then `Ok`.
    DropUndo,
}

/// Lets the outer message pass, which it sees first.
struct OfNested {
    manner: Manner,
    outer_seen: AtomicBool,
}

#[diator::async_trait]
impl Middleware for OfNested {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        if !self.outer_seen.swap(true, Ordering::Relaxed) {
            return next.run(call).await;
        }
        match self.manner {
            Manner::TryAgain => {
                let kept = call.clone_request().expect("it is idempotent");
                loop {
                    let handled = next.retry(call, &kept).await;
                    if call.error().is_none() {
                        return handled;
                    }
                }
            }
            Manner::Excuse => {
                let _elapsed = tokio::time::timeout(Duration::from_secs(1), next.run(call)).await;
                call.answer(())
            }
            Manner::Refuse => {
                let _elapsed = tokio::time::timeout(Duration::from_secs(1), next.run(call)).await;
                call.reject("not today")
            }
            Manner::RefuseAtOnce => call.reject("not today"),
            Manner::Leak => {
                let mut running = Box::pin(next.run(call));
                let polled = poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await;
                assert!(polled.is_pending(), "it was to wait");
                std::mem::forget(running);
                call.reject("not today")
            }
            Manner::DropUndo => {
                let kept = call.clone_request().expect("it is idempotent");
                let _first = next.retry(call, &kept).await;
                let second = tokio::time::timeout(Duration::from_millis(10), next.retry(call, &kept)).await;
                assert!(second.is_err(), "it was to undo the first for longer");
                call.answer(())
            }
        }
    }
}

async fn committed(manner: Manner, nested: Vec<Step>) -> Vec<&'static str> {
    committed_in(&Arc::default(), manner, nested).await
}

async fn committed_in(bank: &Arc<Bank>, manner: Manner, nested: Vec<Step>) -> Vec<&'static str> {
    let middleware = OfNested { manner, outer_seen: AtomicBool::new(false) };
    let mediator = configured(services(bank), |builder| builder.middleware(middleware));
    let sent = mediator.send(Writing(vec![Write("before"), Try(nested), Write("after")])).await;
    match sent {
        Ok(()) => bank.committed(),
        Err(SendError::RolledBack) => vec!["rolled back"],
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn an_attempt_that_failed_leaves_nothing_for_the_next() {
    let nested = vec![Write("nested"), FailOnce(Arc::default())];
    assert_eq!(committed(Manner::TryAgain, nested).await, ["before", "nested", "after"]);
}

#[tokio::test]
async fn a_failure_that_a_middleware_excuses_leaves_nothing() {
    assert_eq!(committed(Manner::Excuse, vec![Write("nested"), Fail]).await, ["before", "after"]);
}

#[tokio::test]
async fn a_success_that_a_middleware_refuses_leaves_nothing() {
    assert_eq!(committed(Manner::Refuse, vec![Write("nested")]).await, ["before", "after"]);
}

#[tokio::test]
async fn a_request_that_a_middleware_refuses_at_once_does_no_harm() {
    assert_eq!(committed(Manner::RefuseAtOnce, vec![Write("nested")]).await, ["before", "after"]);
}

/// Unlike a handler, the middleware leaves it to the mediator to undo what it cut off.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_a_middleware_gave_up_leaves_nothing() {
    for manner in [Manner::Excuse, Manner::Refuse, Manner::Leak] {
        assert_eq!(committed(manner, vec![Write("nested"), Hang]).await, ["before", "after"]);
    }
}

/// Whatever the database has done by then, nothing may be left of what was to be undone: no writes, and no events.
#[tokio::test(start_paused = true)]
async fn an_undo_that_is_given_up_half_way_leaves_no_success() {
    for delay in [Delay::Before, Delay::After] {
        let bank = Arc::<Bank>::default();
        bank.take_time_at("roll back to", delay);
        let nested = vec![Write("nested"), Emit(vec![Write("event")])];
        assert_eq!(committed_in(&bank, Manner::DropUndo, nested).await, ["before", "after"], "{delay:?}");
    }
}
