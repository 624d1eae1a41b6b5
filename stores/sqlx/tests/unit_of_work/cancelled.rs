//! Messages that do not come to their end.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions};
use tokio::sync::Notify;

use super::database::{Database, hold};
use super::script::{Emit, Hang, Must, Panic, See, Step, Write, Writing, mediator};
use super::waking::drop_after_wakes;

/// A command, two event handlers and a nested request.
fn long() -> Vec<Step> {
    vec![Write(1), Must(vec![Write(2)]), Emit(vec![Write(3)]), Emit(vec![Write(4)])]
}

/// Where these points are depends on how fast SQLite is, so it is tried several times.
#[tokio::test]
async fn dropped_at_any_point_it_leaves_nothing_or_all() {
    for _ in 0..5 {
        for polls in 0.. {
            if is_over_after(polls).await {
                break;
            }
        }
    }
}

async fn is_over_after(polls: usize) -> bool {
    let database = Database::new().await;
    let mediator = mediator(&database);
    if let Some(sent) = drop_after_wakes(polls, mediator.send(Writing(long()))).await {
        sent.unwrap();
        return true;
    }
    // It gets the one connection of the pool, which is free again, and in no transaction.
    mediator.send(Writing(vec![Write(5)])).await.unwrap();
    let entries = database.entries().await;
    assert!([vec![5], vec![1, 2, 3, 4, 5]].contains(&entries), "after {polls} polls: {entries:?}");
    false
}

#[tokio::test]
async fn dropped_during_the_commit_it_leaves_all() {
    let one = SqlitePoolOptions::new().max_connections(1);
    let database = Database::with(SqliteJournalMode::Delete, one).await;
    let mediator = mediator(&database);
    let mut other = database.other().await;
    let reading = hold(&mut other, "BEGIN").await;
    tokio::select! {
        // The reader keeps it from committing.
        sent = mediator.send(Writing(long())) => panic!("it was to wait: {sent:?}"),
        () = is_committing(&database) => {}
    }
    reading.rollback().await.unwrap();
    assert!(mediator.shutdown(Duration::from_secs(60)).await.is_clean());
    assert_eq!(database.entries().await, [1, 2, 3, 4]);
}

/// From then on nobody else may begin to read.
async fn is_committing(database: &Database) {
    let mut third = database.other().await;
    sqlx::query("PRAGMA busy_timeout = 0").execute(&mut third).await.unwrap();
    while sqlx::query("SELECT * FROM entries").fetch_all(&mut third).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn dropped_while_an_event_handler_waits_it_leaves_nothing() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let hangs = Arc::new(Notify::new());
    let steps = vec![Write(1), Emit(vec![Write(2)]), Emit(vec![Write(3), Hang(hangs.clone())])];
    tokio::select! {
        sent = mediator.send(Writing(steps)) => panic!("it was to hang: {sent:?}"),
        () = hangs.notified() => {}
    }
    mediator.send(Writing(vec![See(&[]), Write(4)])).await.unwrap();
    assert_eq!(database.entries().await, [4]);
}

#[tokio::test]
async fn a_panic_in_the_last_event_handler_rolls_all_back() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let sending = {
        let mediator = mediator.clone();
        async move { mediator.send(Writing(vec![Write(1), Emit(vec![Write(2)]), Emit(vec![Write(3), Panic])])).await }
    };
    assert!(tokio::spawn(sending).await.unwrap_err().is_panic());
    mediator.send(Writing(vec![See(&[]), Write(4)])).await.unwrap();
    assert_eq!(database.entries().await, [4]);
}
