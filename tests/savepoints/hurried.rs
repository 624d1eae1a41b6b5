//! A nested request whose sender goes on while a savepoint is set, released or gone back to.
//!
//! The database takes fifty milliseconds for one order, and the sender waits for ten.

use std::sync::Arc;

use diator::{BoxError, SendError};

use super::ledger::{Bank, Delay};
use super::script::{Emit, Fail, Hurry, Must, Step, Try, With, Write, Writing, mediator};

/// What is committed if the database takes its time for one order; empty if all is rolled back.
async fn committed(with: With, slow: (&'static str, Delay), steps: &[Step]) -> Vec<&'static str> {
    let bank = Arc::<Bank>::default();
    bank.take_time_at(slow.0, slow.1);
    let sent: Result<(), SendError<BoxError>> = mediator(&bank, with).send(Writing(steps.to_vec())).await;
    match sent {
        Ok(()) => assert_ne!(bank.committed(), [""; 0], "it said so"),
        Err(SendError::RolledBack) => assert_eq!(bank.committed(), [""; 0], "it said so"),
        Err(error) => panic!("{error:?}"),
    }
    bank.committed()
}

/// With both containers, whatever the database has done when its answer is no longer waited for.
async fn assert_rolled_back(slow: &'static str, steps: Vec<Step>) {
    for with in [With::Services, With::Enlistment] {
        for delay in [Delay::Before, Delay::After] {
            let committed = committed(with, (slow, delay), &steps).await;
            assert_eq!(committed, [""; 0], "half-done work is committed");
        }
    }
}

/// All may be rolled back too.
async fn assert_at_most(expected: &[&str], slow: &'static str, steps: Vec<Step>) {
    for with in [With::Services, With::Enlistment] {
        for delay in [Delay::Before, Delay::After] {
            let committed = committed(with, (slow, delay), &steps).await;
            assert!(committed.is_empty() || committed == expected, "half-done work is committed: {committed:?}");
        }
    }
}

// --- RELEASE. -----------------------------------------------------------------------------------

/// A nested request that its sender drops has failed, and what cannot be undone is `SendError::RolledBack`.
#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_released() {
    let steps = vec![Write("before"), Hurry(vec![Write("nested")]), Write("after")];
    assert_rolled_back("release", steps).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_released_in_a_handler_of_an_event() {
    let steps = vec![Write("command"), Emit(vec![Hurry(vec![Write("nested")]), Write("event")])];
    assert_rolled_back("release", steps).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_released_two_levels_deep() {
    let inner = Hurry(vec![Write("inner")]);
    let steps = vec![Write("outer"), Must(vec![Write("before"), inner, Write("after")])];
    assert_rolled_back("release", steps).await;
}

/// A savepoint that is released later says nothing about this one.
#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_released_before_another_request_succeeds() {
    let steps = vec![Write("before"), Hurry(vec![Write("nested")]), Must(vec![Write("another")])];
    assert_rolled_back("release", steps).await;
}

/// It is undone with what sent it.
#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_released_in_a_request_that_fails() {
    let inner = Hurry(vec![Write("inner")]);
    let steps = vec![Write("outer"), Try(vec![Write("before"), inner, Fail])];
    assert_at_most(&["outer"], "release", steps).await;
}

/// What failed is undone before its savepoint is released.
#[tokio::test(start_paused = true)]
async fn while_the_savepoint_of_what_failed_is_released() {
    let steps = vec![Write("before"), Hurry(vec![Write("nested"), Fail]), Write("after")];
    assert_at_most(&["before", "after"], "release", steps).await;
}

// --- SAVEPOINT and ROLLBACK TO. -----------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_set() {
    let steps = vec![Write("before"), Hurry(vec![Write("nested")]), Write("after")];
    assert_at_most(&["before", "after"], "set", steps).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_savepoint_is_set_in_a_handler_of_an_event() {
    let steps = vec![Write("command"), Emit(vec![Hurry(vec![Write("nested")]), Write("event")])];
    assert_at_most(&["command", "event"], "set", steps).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_request_is_undone() {
    let steps = vec![Write("before"), Hurry(vec![Write("nested"), Fail]), Write("after")];
    assert_rolled_back("roll back to", steps).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_request_is_undone_in_a_handler_of_an_event() {
    let steps = vec![Write("command"), Emit(vec![Hurry(vec![Write("nested"), Fail]), Write("event")])];
    assert_rolled_back("roll back to", steps).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_request_is_undone_two_levels_deep() {
    let inner = Hurry(vec![Write("inner"), Fail]);
    let steps = vec![Write("outer"), Must(vec![Write("before"), inner, Write("after")])];
    assert_rolled_back("roll back to", steps).await;
}

/// Of savepoints, the last that was set is the first to be released.
#[tokio::test(start_paused = true)]
async fn no_savepoint_is_released_before_one_that_was_set_after_it() {
    let bank = Arc::<Bank>::default();
    bank.take_time_at("roll back to", Delay::Before);
    let nested = vec![Write("nested"), Hurry(vec![Write("inner"), Fail])];
    let sent = mediator(&bank, With::Services).send(Writing(vec![Write("outer"), Must(nested)])).await;
    assert!(sent.is_err(), "it cannot be undone alone");
    let log = bank.log();
    let position = |entry: &str| log.iter().position(|other| other == entry).unwrap_or(log.len());
    let released_first = position("release diator_1") < position("release diator_2");
    assert!(!released_first, "one is released before the one that was set after it: {log:?}");
}
