//! Retries: what is tried again, how often, and what the last word is.

use std::time::Duration;

use diator::Committed;
use diator::broker::PublishErrorKind;
use diator::middleware::{RetryMiddleware, RetryPolicy, middleware_fn};
use diator::prelude::*;
use tokio::time::Instant;

use super::seats::{Reserve, ReserveForGroup, ReserveOnce, SeatError, Seats};

fn retry() -> RetryMiddleware {
    RetryMiddleware::new(RetryPolicy::new()).unwrap()
}

fn when_busy() -> RetryMiddleware {
    retry().when::<Reserve>(|error| matches!(error, SendError::Handler(SeatError::Busy)))
}

#[test]
fn every_problem_of_a_policy_is_listed() {
    let error = RetryMiddleware::new(RetryPolicy::new().attempts(0).first_delay(Duration::ZERO)).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    assert_eq!(format!("{error:?}"), error.to_string(), "`main` shows the former");
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_scope_and_events_of_its_own() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy]);
    assert_eq!(seats.with(when_busy()).send(Reserve(1)).await.unwrap(), 1);
    let notes = ["reserve 1", "rollback", "reserve 1", "reserved 1", "commit begins", "commit", "ticket 1"];
    assert_eq!(seats.journal.notes(), notes);
    assert_eq!(seats.broker.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn other_errors_are_not_tried_again() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Taken]);
    let error = seats.with(when_busy()).send(Reserve(1)).await.unwrap_err();
    assert!(matches!(error, SendError::Handler(SeatError::Taken)), "{error:?}");
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_rule_no_error_of_a_handler_is_tried_again() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy]);
    seats.with(retry()).send(Reserve(1)).await.unwrap_err();
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_is_tried_again_without_a_rule() {
    let seats = Seats::default();
    *seats.script.bad_commits.lock().unwrap() = 2;
    assert_eq!(seats.with(retry()).send_dyn(Reserve(1)).await.unwrap(), 1);
    assert_eq!(seats.journal.notes().iter().filter(|note| *note == "commit fails").count(), 2);
    assert_eq!(seats.broker.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_any_request_reads_the_error_as_text_or_by_its_type() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy, SeatError::Taken]);
    let retry = retry().when_any(|error| match error.downcast_ref::<SendError<SeatError>>() {
        Some(SendError::Handler(error)) => *error == SeatError::Taken,
        _ => false,
    });
    let retry = retry.when_any(|error| error.to_string() == "the seat is being reserved");
    assert_eq!(seats.with(retry).send(Reserve(1)).await.unwrap(), 1);
    assert_eq!(seats.journal.notes().iter().filter(|note| *note == "reserve 1").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_has_the_last_word() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy, SeatError::Busy, SeatError::Taken]);
    let error = seats.with(retry().when_any(|error| !error.to_string().contains("taken"))).send(Reserve(1)).await;
    assert!(matches!(error, Err(SendError::Handler(SeatError::Taken))), "{error:?}");

    let seats = Seats::default();
    seats.script.fail((0..10).map(|_| SeatError::Busy));
    let three = RetryMiddleware::new(RetryPolicy::new().attempts(3)).unwrap().when_any(|_| true);
    seats.with(three).send(Reserve(1)).await.unwrap_err();
    assert_eq!(seats.script.failures.lock().unwrap().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_time_to_give_up() {
    let seats = Seats::default();
    seats.script.fail((0..100).map(|_| SeatError::Busy));
    let second = Duration::from_secs(1);
    let policy = RetryPolicy::new().attempts(100).first_delay(second).max_delay(second).give_up_after(second * 10);
    let begun = Instant::now();
    seats.with(RetryMiddleware::new(policy).unwrap().when_any(|_| true)).send(Reserve(1)).await.unwrap_err();
    // The clock is the test's own. Each wait is between a half and a whole second.
    assert!(begun.elapsed() <= second * 10, "{:?}", begun.elapsed());
    let attempts = 100 - seats.script.failures.lock().unwrap().len();
    assert!((10..=20).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_idempotent_is_tried_again() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy]);
    seats.with(retry().when_any(|_| true)).send(ReserveOnce(1)).await.unwrap_err();
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_is_not_tried_again() {
    let seats = Seats::default();
    seats.broker.refuse(PublishErrorKind::Fatal);
    let error = seats.with(retry().when_any(|_| true)).send(Reserve(1)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::Yes);
    assert_eq!(seats.journal.notes(), ["reserve 1", "reserved 1", "commit begins", "commit", "ticket 1"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_rejected_is_not_tried_again() {
    let seats = Seats::default();
    let closed = middleware_fn({
        let journal = seats.journal.clone();
        move |call, _| {
            journal.note("closed");
            let handled = call.reject("closed on Sundays");
            Box::pin(async { handled })
        }
    });
    let builder = seats.builder().middleware(retry().when_any(|_| true)).middleware(closed);
    builder.build().unwrap().send(Reserve(1)).await.unwrap_err();
    assert_eq!(seats.journal.notes(), ["closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_nested_request_is_tried_again_with_its_root_alone() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Busy]);
    assert_eq!(seats.with(retry().when_any(|_| true)).send(ReserveForGroup(1)).await.unwrap(), 1);
    let notes = ["reserve 1", "rollback", "reserve 1", "reserved 1", "commit begins", "commit", "ticket 1"];
    assert_eq!(seats.journal.notes(), notes);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_between_two_attempts_ends_them() {
    let seats = Seats::default();
    seats.script.fail((0..10).map(|_| SeatError::Busy));
    let mediator = seats.with(when_busy());
    tokio::time::timeout(Duration::from_millis(20), mediator.send(Reserve(1))).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
    assert!(mediator.shutdown(Duration::ZERO).await.is_clean());
}
