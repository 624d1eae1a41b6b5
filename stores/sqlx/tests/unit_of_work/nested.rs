//! What of a message is committed, if nested requests fail.

use std::sync::Arc;

use diator::SendError;
use tokio::sync::Notify;

use super::database::Database;
use super::script::{
    Conducting, Emit, Fail, GiveUp, GiveUpAfter, Hang, Must, Panic, See, Sql, Step, Try, Write, Writing, mediator,
};

async fn committed(steps: Vec<Step>) -> Vec<i64> {
    let database = Database::new().await;
    mediator(&database).send(Writing(steps)).await.expect("what failed was swallowed");
    database.entries().await
}

#[tokio::test]
async fn what_succeeds_stays() {
    assert_eq!(committed(vec![Write(1), Try(vec![Write(2)]), Write(3)]).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_failure_that_is_swallowed_undoes_its_own_writes_only() {
    assert_eq!(committed(vec![Write(1), Try(vec![Write(2), Fail]), See(&[1]), Write(3)]).await, [1, 3]);
}

#[tokio::test]
async fn a_statement_that_fails_is_a_failure_like_any_other() {
    assert_eq!(committed(vec![Write(1), Try(vec![Write(2), Write(1)]), Write(3)]).await, [1, 3]);
}

#[tokio::test]
async fn a_deferred_violation_is_undone_too() {
    let orphan = Sql("INSERT INTO notes VALUES (99)");
    assert_eq!(committed(vec![Write(1), Try(vec![orphan, Fail])]).await, [1]);
}

#[tokio::test]
async fn a_failure_within_a_success_is_undone_alone() {
    let inner = Try(vec![Write(3), Fail]);
    assert_eq!(committed(vec![Write(1), Must(vec![Write(2), inner, Write(4)]), Write(5)]).await, [1, 2, 4, 5]);
}

#[tokio::test]
async fn a_success_within_a_failure_is_undone_with_it() {
    assert_eq!(committed(vec![Write(1), Try(vec![Write(2), Must(vec![Write(3)]), Fail]), Write(4)]).await, [1, 4]);
}

#[tokio::test]
async fn a_failure_in_an_event_handler_may_be_swallowed_there() {
    let event = vec![Try(vec![Write(2), Fail]), Try(vec![Write(3)]), Write(4)];
    assert_eq!(committed(vec![Write(1), Emit(event)]).await, [1, 3, 4]);
}

#[tokio::test]
async fn events_of_what_failed_are_not_handled() {
    let failing = Try(vec![Emit(vec![Write(2)]), Fail]);
    assert_eq!(committed(vec![Emit(vec![Write(1)]), failing, Emit(vec![Write(3)])]).await, [1, 3]);
}

#[tokio::test]
async fn a_failure_after_a_success_undoes_both() {
    let database = Database::new().await;
    let error = mediator(&database).send(Writing(vec![Write(1), Must(vec![Write(2)]), Fail])).await.unwrap_err();
    assert!(matches!(error, SendError::Handler(_)), "{error:?}");
    assert_eq!(database.entries().await, [0_i64; 0]);
}

#[tokio::test]
async fn a_transaction_that_began_in_a_nested_request_ends_with_its_failure() {
    let database = Database::new().await;
    let steps = vec![Try(vec![Write(1), Fail]), Try(vec![See(&[]), Write(2)]), Try(vec![Write(3), Fail])];
    mediator(&database).send(Conducting(steps)).await.expect("the failures are swallowed");
    assert_eq!(database.entries().await, [2]);
}

#[tokio::test]
async fn a_transaction_that_began_in_a_nested_request_spans_the_rest() {
    let database = Database::new().await;
    let error = mediator(&database).send(Conducting(vec![Try(vec![Write(1)]), Fail])).await.unwrap_err();
    assert!(matches!(error, SendError::Handler(_)), "{error:?}");
    assert_eq!(database.entries().await, [0_i64; 0]);
}

#[tokio::test]
async fn a_request_that_is_given_up_takes_all_with_it() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let hangs = Arc::new(Notify::new());
    let given_up = GiveUp(vec![Write(2), Hang(hangs.clone())], hangs);
    let error = mediator.send(Writing(vec![Write(1), given_up, Write(3)])).await.unwrap_err();
    assert!(matches!(error, SendError::RolledBack), "{error:?}");
    mediator.send(Writing(vec![See(&[]), Write(4)])).await.unwrap();
    assert_eq!(database.entries().await, [4]);
}

#[tokio::test]
async fn a_request_that_is_given_up_at_any_point_is_never_half_there() {
    for polls in 0.. {
        let database = Database::new().await;
        let steps = vec![Write(1), GiveUpAfter(polls, vec![Write(2), Write(3)]), Write(4)];
        let sent = mediator(&database).send(Writing(steps)).await;
        match (sent, &*database.entries().await) {
            (Ok(()), [1, 2, 3, 4]) => return,
            // It was given up before it began.
            // Or while it asked whether the transaction was still open, which ends that: the next to ask for a connection fails.
            (Ok(()), [1, 4]) | (Err(SendError::RolledBack | SendError::Handler(_)), []) => {}
            half => panic!("after {polls} polls: {half:?}"),
        }
    }
}

#[tokio::test]
async fn a_nested_panic_rolls_all_back() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let sending = {
        let mediator = mediator.clone();
        async move { mediator.send(Writing(vec![Write(1), Try(vec![Write(2), Panic])])).await }
    };
    assert!(tokio::spawn(sending).await.unwrap_err().is_panic());
    assert_eq!(database.entries().await, [0_i64; 0]);
    mediator.send(Writing(vec![Write(3)])).await.unwrap();
    assert_eq!(database.entries().await, [3]);
}
