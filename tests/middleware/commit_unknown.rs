//! An attempt whose commit may have happened: once it is unknown, the answer stays unknown.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diator::Committed;
use diator::broker::PublishErrorKind;
use diator::middleware::{Answered, Call, Middleware, Next, RetryMiddleware, RetryPolicy, TimeoutMiddleware};
use diator::prelude::*;

use super::seats::{Reserve, SeatError, Seats};

const LIMIT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);

fn retry(attempts: u32) -> RetryMiddleware {
    RetryMiddleware::new(RetryPolicy::new().attempts(attempts)).unwrap()
}

fn timeout() -> TimeoutMiddleware {
    TimeoutMiddleware::new(LIMIT).unwrap()
}

/// Seats whose first commit happens, and whose answer is lost.
fn seats() -> Seats {
    let seats = Seats::default();
    *seats.script.lost_commits.lock().unwrap() = 1;
    seats
}

#[track_caller]
fn assert_unknown(seats: &Seats, sent: Result<u32, SendError<SeatError>>) {
    let error = sent.unwrap_err();
    assert!(seats.journal.notes().contains(&"commit".to_owned()), "the first attempt was to commit");
    assert_eq!(error.committed(), Committed::Unknown, "a commit that happened is denied: {error:?}");
}

// --- What is known stays known. -----------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn the_only_attempt_is_unknown() {
    let seats = seats();
    let sent = seats.with(retry(1)).send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_succeeds_is_the_answer() {
    let seats = seats();
    assert_eq!(seats.with(retry(2)).send(Reserve(1)).await.unwrap(), 1);
    assert_eq!(seats.broker.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_committed_is_the_answer() {
    let seats = seats();
    seats.broker.refuse(PublishErrorKind::Fatal);
    let error = seats.with(retry(2)).send(Reserve(1)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::Yes, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_only_rolled_back_is_not_committed() {
    let seats = Seats::default();
    *seats.script.bad_commits.lock().unwrap() = 2;
    let error = seats.with(retry(2)).send(Reserve(1)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::No, "{error:?}");
}

// --- A later attempt fails. ---------------------------------------------------------------------

/// Of an error that is not committed, nothing that the message did was kept.
#[tokio::test(start_paused = true)]
async fn then_the_handler_fails() {
    let seats = seats();
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let sent = seats.with(retry(2)).send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

#[tokio::test(start_paused = true)]
async fn then_the_handler_fails_by_send_dyn() {
    let seats = seats();
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let sent = seats.with(retry(2)).send_dyn(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

#[tokio::test(start_paused = true)]
async fn then_all_other_commits_are_rolled_back() {
    let seats = seats();
    *seats.script.bad_commits.lock().unwrap() = 2;
    let sent = seats.with(retry(3)).send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

/// The attempt that is unknown need not be the first.
#[tokio::test(start_paused = true)]
async fn then_the_handler_fails_in_the_third_attempt() {
    let seats = seats();
    seats.script.fail([SeatError::Busy]);
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let retry = retry(3).when::<Reserve>(|error| matches!(error, SendError::Handler(SeatError::Busy)));
    let sent = seats.with(retry).send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

/// Lets the first attempt pass, and does something else with the next.
#[derive(Default)]
struct FirstOnly {
    attempts: AtomicU32,
    answers: bool,
}

#[diator::async_trait]
impl Middleware for FirstOnly {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        match (call.message::<Reserve>().map(|_| self.attempts.fetch_add(1, Ordering::Relaxed)), self.answers) {
            (None | Some(0), _) => next.run(call).await,
            (_, true) => call.answer("a text"),
            (_, false) => call.reject("closed on Sundays"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn then_a_middleware_refuses_it() {
    let seats = seats();
    let builder = seats.builder().middleware(retry(2)).middleware(FirstOnly::default());
    let sent = builder.build().unwrap().send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

#[tokio::test(start_paused = true)]
async fn then_a_middleware_answers_with_another_type() {
    let seats = seats();
    let first_only = FirstOnly { answers: true, ..FirstOnly::default() };
    let builder = seats.builder().middleware(retry(2)).middleware(first_only);
    let sent = builder.build().unwrap().send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

// --- A time-out ends the retry. -----------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn then_the_time_is_up_while_the_next_attempt_waits() {
    let seats = seats();
    let policy = RetryPolicy::new().first_delay(LONG).max_delay(LONG).give_up_after(LONG * 60);
    let retry = RetryMiddleware::new(policy).unwrap();
    let sent = seats.builder().middleware(timeout()).middleware(retry).build().unwrap().send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}

#[tokio::test(start_paused = true)]
async fn then_the_time_is_up_during_the_next_attempt() {
    let seats = seats();
    *seats.script.committing.lock().unwrap() = LIMIT / 5;
    let mediator = seats.builder().middleware(timeout()).middleware(retry(2)).build().unwrap();
    let (sent, ()) = tokio::join!(mediator.send(Reserve(1)), async {
        tokio::time::sleep(LIMIT / 10).await;
        *seats.script.handling.lock().unwrap() = LONG;
    });
    assert_unknown(&seats, sent);
}

/// Here the limit is each attempt's own.
#[tokio::test(start_paused = true)]
async fn then_the_next_attempt_takes_too_long() {
    let seats = seats();
    *seats.script.committing.lock().unwrap() = LIMIT / 5;
    let mediator = seats.builder().middleware(retry(2)).middleware(timeout()).build().unwrap();
    let (sent, ()) = tokio::join!(mediator.send(Reserve(1)), async {
        tokio::time::sleep(LIMIT / 10).await;
        *seats.script.handling.lock().unwrap() = LONG;
    });
    assert_unknown(&seats, sent);
}

// --- A retry of the program's own. --------------------------------------------------------------

/// Tries twice, and refuses what failed both times.
struct Twice;

#[diator::async_trait]
impl Middleware for Twice {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let Some(kept) = call.clone_request() else { return next.run(call).await };
        let _first = next.retry(call, &kept).await;
        let handled = next.retry(call, &kept).await;
        match call.error() {
            Some(_) => call.reject("it failed twice"),
            None => handled,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn then_a_middleware_that_tried_again_refuses_it() {
    let seats = seats();
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let sent = seats.with(Twice).send(Reserve(1)).await;
    assert_unknown(&seats, sent);
}
