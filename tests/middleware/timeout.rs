//! Time-outs: what they cancel, and what they do not cut short.

use std::error::Error;
use std::time::Duration;

use diator::broker::PublishErrorKind;
use diator::middleware::{
    MessageKind, Middleware, RetryMiddleware, RetryPolicy, TimedOut, TimeoutMiddleware, middleware_fn,
};
use diator::prelude::*;

use super::seats::{Reserve, ReserveForGroup, ReserveOnce, Seats};

const LIMIT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);

fn timeout() -> TimeoutMiddleware {
    TimeoutMiddleware::new(LIMIT).unwrap()
}

#[test]
fn no_message_can_be_held_to_a_limit_of_zero_or_of_days() {
    for limit in [Duration::ZERO, Duration::from_secs(24 * 3600) + Duration::from_nanos(1), Duration::MAX] {
        let error = TimeoutMiddleware::new(limit).unwrap_err();
        assert_eq!(format!("{error:?}"), error.to_string(), "`main` shows the former");
        let error = error.to_string();
        assert!(error.starts_with("timeout is invalid: the limit must be more than zero and at most 24h"), "{error}");
    }
    assert!(TimeoutMiddleware::new(Duration::from_nanos(1)).is_ok());
    assert!(TimeoutMiddleware::new(Duration::from_secs(24 * 3600)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_rolled_back_and_the_error_says_what_the_limit_was() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = LONG;

    let error = seats.with(timeout()).send(Reserve(1)).await.unwrap_err();

    let timed_out = error.source().unwrap().downcast_ref::<TimedOut>().unwrap();
    assert_eq!((timed_out.limit, &*timed_out.to_string()), (LIMIT, "the message took longer than 5s"));
    let SendError::Rejected { middleware, .. } = error else { panic!("{error:?}") };
    assert_eq!(middleware, std::any::type_name::<TimeoutMiddleware>());
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
    assert!(seats.broker.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_quick_enough_is_left_alone() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = LIMIT - Duration::from_millis(1);
    assert_eq!(seats.with(timeout()).send(Reserve(1)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_not_cut_short() {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = LONG;
    let mediator = seats.with(timeout().only(|info| info.kind == MessageKind::Command));

    assert_eq!(mediator.send(Reserve(1)).await.unwrap(), 1);
    assert_eq!(seats.journal.notes(), ["reserve 1", "reserved 1", "commit begins", "commit", "ticket 1"]);
    assert_eq!(seats.broker.len(), 1);
    assert_eq!(mediator.send_dyn(Reserve(2)).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_real_outcome_of_a_slow_commit_is_answered() {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = LONG;
    *seats.script.bad_commits.lock().unwrap() = 1;
    let mediator = seats.with(timeout());
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    assert!(matches!(error, SendError::Commit { .. }), "{error:?}");

    seats.broker.refuse(PublishErrorKind::Fatal);
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    assert_eq!(error.into_committed_response::<u32>().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn publishing_after_the_commit_is_not_cut_short() {
    let seats = Seats::default();
    seats.broker.hang();
    let mediator = seats.with(timeout());
    let sending = tokio::spawn({
        let mediator = mediator.clone();
        async move { mediator.send(Reserve(1)).await }
    });
    tokio::time::sleep(LONG).await;
    assert!(!sending.is_finished());
    seats.broker.accept();
    assert_eq!(sending.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn around_retries_it_ends_them_between_a_failed_commit_and_the_next_attempt() {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = LONG;
    *seats.script.bad_commits.lock().unwrap() = 1;
    let retry = RetryMiddleware::new(RetryPolicy::new().give_up_after(LONG * 60)).unwrap();
    let mediator = seats.builder().middleware(timeout()).middleware(retry).build().unwrap();

    let error = mediator.send(Reserve(1)).await.unwrap_err();

    assert!(error.source().unwrap().is::<TimedOut>(), "{error:?}");
    assert_eq!(seats.journal.notes(), ["reserve 1", "reserved 1", "commit begins", "commit fails"]);
}

#[tokio::test(start_paused = true)]
async fn within_retries_it_limits_each_attempt_and_the_next_begins_after_the_rollback() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = LONG;
    let retry = RetryMiddleware::new(RetryPolicy::new().attempts(2)).unwrap();
    let mediator = seats.builder().middleware(retry).middleware(timeout()).build().unwrap();

    let error = mediator.send(Reserve(1)).await.unwrap_err();
    assert!(error.source().unwrap().is::<TimedOut>(), "{error:?}");
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback", "reserve 1", "rollback"]);

    // What is not idempotent has one attempt.
    mediator.send(ReserveOnce(2)).await.unwrap_err();
    assert_eq!(seats.journal.notes()[4..], ["reserve 2", "rollback"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_quick_enough_follows_one_that_was_not() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = LONG;
    let retry = RetryMiddleware::new(RetryPolicy::new()).unwrap();
    let mediator = seats.builder().middleware(retry).middleware(timeout()).build().unwrap();
    let (answer, ()) = tokio::join!(mediator.send(Reserve(1)), async {
        tokio::time::sleep(LIMIT / 2).await;
        *seats.script.handling.lock().unwrap() = Duration::ZERO;
    });
    assert_eq!(answer.unwrap(), 1);
    let notes = ["reserve 1", "rollback", "reserve 1", "reserved 1", "commit begins", "commit", "ticket 1"];
    assert_eq!(seats.journal.notes(), notes);
    assert_eq!(seats.broker.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_an_event_that_takes_too_long_fails_its_message_and_is_tried_again_with_it() {
    let seats = Seats::default();
    *seats.script.noting.lock().unwrap() = LONG;
    let late = || timeout().only(|info| info.kind == MessageKind::DomainEvent);
    let error = seats.with(late()).send(Reserve(1)).await.unwrap_err();
    assert!(matches!(error, SendError::Event { .. }), "{error:?}");
    assert_eq!(error.timed_out().unwrap().limit, LIMIT);
    assert_eq!(seats.journal.notes(), ["reserve 1", "reserved 1", "rollback"]);

    let retry = RetryMiddleware::new(RetryPolicy::new().attempts(2)).unwrap();
    let mediator = seats.builder().middleware(retry).middleware(late()).build().unwrap();
    assert!(mediator.send(Reserve(1)).await.unwrap_err().timed_out().is_some());
    assert_eq!(seats.journal.notes().len(), 9, "{:?}", seats.journal.notes());
}

#[tokio::test(start_paused = true)]
async fn a_nested_request_is_cancelled_alone_and_spoils_its_root() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = LONG;
    let mediator = seats.with(timeout().only(|info| info.message == "Reserve"));
    let error = mediator.send(ReserveForGroup(1)).await.unwrap_err();
    assert!(matches!(error, SendError::Handler(_)), "{error:?}");
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_time_out_although_another_middleware_was_at_work() {
    let seats = Seats::default();
    *seats.script.handling.lock().unwrap() = LONG;
    let inner = middleware_fn(|call, next| Box::pin(next.run(call))).named("inner");
    let mediator = seats.builder().middleware(timeout()).middleware(inner).build().unwrap();
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    let SendError::Rejected { middleware, .. } = error else { panic!("{error:?}") };
    assert_eq!(middleware, std::any::type_name::<TimeoutMiddleware>());
}
