//! Commits that happen, and those that do not.

use std::sync::Arc;

use diator::SendError;
use diator::container::CommitOutcome;
use diator::middleware::{Answered, Call, Middleware, Next};
use diator::prelude::*;
use sqlx::Connection;
use sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions};
use tokio::sync::Barrier;

use super::database::{Database, hold};
use super::script::{Emit, Fail, FailOnce, Meet, Reading, See, Sql, TrySql, Write, Writing, configured, mediator};

type Sent = Result<(), SendError<BoxError>>;

/// What SQLite says to it: the code and the text.
fn code(error: &(dyn std::error::Error + 'static)) -> String {
    let error = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    error.and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
}

fn commit_error(sent: Sent) -> (CommitOutcome, String) {
    match sent {
        Err(SendError::Commit { outcome, source }) => (outcome, code(&*source)),
        other => panic!("it was to fail at the commit: {other:?}"),
    }
}

fn handler_error(sent: Sent) -> String {
    match sent {
        Err(SendError::Handler(source)) => code(&*source),
        other => panic!("its handler was to fail: {other:?}"),
    }
}

#[tokio::test]
async fn a_command_and_its_event_handlers_share_one_transaction() {
    let database = Database::new().await;
    let first = Emit(vec![See(&[1]), Write(2)]);
    let second = Emit(vec![See(&[1, 2]), Write(3)]);
    mediator(&database).send(Writing(vec![Write(1), first, second])).await.unwrap();
    assert_eq!(database.entries().await, [1, 2, 3]);
}

#[tokio::test]
async fn if_the_last_event_handler_fails_nothing_is_left() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let steps = vec![Write(1), Emit(vec![Write(2)]), Emit(vec![Write(3), Fail])];
    let error = mediator.send(Writing(steps)).await.unwrap_err();
    assert!(matches!(error, SendError::Event { .. }), "{error:?}");
    assert_eq!(database.entries().await, [0_i64; 0]);
    mediator.send(Writing(vec![See(&[]), Write(4)])).await.unwrap();
    assert_eq!(database.entries().await, [4]);
}

#[tokio::test]
async fn a_deferred_violation_is_found_at_the_commit_which_is_rolled_back() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let sent = mediator.send(Writing(vec![Write(1), Sql("INSERT INTO notes VALUES (99)")])).await;
    assert_eq!(commit_error(sent), (CommitOutcome::RolledBack, "787".to_owned()));
    assert_eq!(database.entries().await, [0_i64; 0]);
    mediator.send(Writing(vec![See(&[]), Write(2)])).await.unwrap();
    assert_eq!(database.entries().await, [2]);
}

/// Where a lock that somebody else holds is an error at once.
async fn impatient(journal_mode: SqliteJournalMode) -> Database {
    let pool = SqlitePoolOptions::new().max_connections(1).after_connect(|connection, _| {
        Box::pin(async { sqlx::query("PRAGMA busy_timeout = 0").execute(connection).await.map(drop) })
    });
    Database::with(journal_mode, pool).await
}

#[tokio::test]
async fn a_reader_keeps_a_rollback_journal_from_committing() {
    let database = impatient(SqliteJournalMode::Delete).await;
    let mediator = mediator(&database);
    let mut other = database.other().await;
    let reading = hold(&mut other, "BEGIN").await;
    let sent = mediator.send(Writing(vec![Write(1)])).await;
    assert_eq!(commit_error(sent), (CommitOutcome::RolledBack, "5".to_owned()));
    reading.rollback().await.unwrap();
    mediator.send(Writing(vec![See(&[]), Write(2)])).await.unwrap();
    assert_eq!(database.entries().await, [2]);
}

#[tokio::test]
async fn another_writer_is_found_before_the_first_statement() {
    let database = impatient(SqliteJournalMode::Wal).await;
    let mediator = mediator(&database);
    let mut other = database.other().await;
    let writing = hold(&mut other, "BEGIN IMMEDIATE").await;
    assert_eq!(handler_error(mediator.send(Writing(vec![See(&[])])).await), "5");
    mediator.send(Reading(vec![See(&[])])).await.unwrap();
    writing.rollback().await.unwrap();
    mediator.send(Writing(vec![Write(2)])).await.unwrap();
    assert_eq!(database.entries().await, [2]);
}

#[tokio::test]
async fn a_command_that_reads_first_can_write_later() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let barrier = Arc::new(Barrier::new(2));
    let meet = Meet(barrier.clone());
    let writing_between = async {
        barrier.wait().await;
        let mut other = database.other().await;
        sqlx::query("PRAGMA busy_timeout = 0").execute(&mut other).await.unwrap();
        // It would have to be repeated if another wrote between: so nobody can.
        assert_eq!(code(&other.begin_with("BEGIN IMMEDIATE").await.unwrap_err()), "5");
        barrier.wait().await;
    };
    let message = Writing(vec![See(&[]), meet.clone(), meet, Write(2)]);
    let (sent, ()) = tokio::join!(mediator.send(message), writing_between);
    sent.unwrap();
    assert_eq!(database.entries().await, [2]);
}

#[tokio::test]
async fn what_a_trigger_rolled_back_does_not_commit() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let ends_all = TrySql("INSERT INTO entries VALUES (-1)");
    // It is found at the next statement, or at the COMMIT.
    let sent = mediator.send(Writing(vec![Write(1), ends_all.clone(), Write(2)])).await;
    assert!(matches!(sent, Err(SendError::Handler(_))), "{sent:?}");
    let sent = mediator.send(Writing(vec![Write(1), ends_all])).await;
    assert_eq!(commit_error(sent), (CommitOutcome::Unknown, "1".to_owned()));
    assert_eq!(database.entries().await, [0_i64; 0]);

    mediator.send(Writing(vec![Write(3)])).await.unwrap();
    mediator.send(Writing(vec![Write(4), Fail])).await.unwrap_err();
    assert_eq!(database.entries().await, [3]);
    // No lock is left.
    hold(&mut database.other().await, "BEGIN IMMEDIATE").await.rollback().await.unwrap();
}

/// As many attempts as it takes.
struct TryAgain;

#[diator::async_trait]
impl Middleware for TryAgain {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let Some(kept) = call.clone_request() else { return next.run(call).await };
        loop {
            let handled = next.retry(call, &kept).await;
            if call.error().is_none() {
                return handled;
            }
        }
    }
}

#[tokio::test]
async fn each_attempt_has_a_transaction_of_its_own() {
    let database = Database::new().await;
    let mediator = configured(&database, |builder| builder.middleware(TryAgain));
    let fails = FailOnce(Arc::default());
    mediator.send(Writing(vec![See(&[]), Write(1), Emit(vec![Write(2), fails])])).await.unwrap();
    assert_eq!(database.entries().await, [1, 2]);
}
