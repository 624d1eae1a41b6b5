//! Several messages at once: each has a transaction of its own.

use std::sync::Arc;

use sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions};
use tokio::sync::Barrier;

use super::database::Database;
use super::script::{Emit, Fail, Meet, Reading, See, Step, Write, Writing, mediator};

/// A command writes before a query reads, and ends after that; the query sees nothing of it, and waits for nothing.
async fn together(database: &Database, last: Vec<Step>) -> (bool, bool) {
    let mediator = mediator(database);
    let meet = Meet(Arc::new(Barrier::new(2)));
    let one = [vec![Write(1), meet.clone(), meet.clone()], last].concat();
    let other = vec![meet.clone(), See(&[]), meet];
    let (one, other) = tokio::join!(mediator.send(Writing(one)), mediator.send(Reading(other)));
    (one.is_ok(), other.is_ok())
}

#[tokio::test]
async fn what_is_not_committed_is_seen_by_nobody_else() {
    let database = Database::with(SqliteJournalMode::Wal, SqlitePoolOptions::new().max_connections(2)).await;
    assert_eq!(together(&database, vec![Emit(vec![Write(2), See(&[1, 2])])]).await, (true, true));
    assert_eq!(database.entries().await, [1, 2]);
}

#[tokio::test]
async fn one_that_fails_leaves_the_other_alone() {
    let database = Database::with(SqliteJournalMode::Wal, SqlitePoolOptions::new().max_connections(2)).await;
    assert_eq!(together(&database, vec![Emit(vec![Write(2), Fail])]).await, (false, true));
    assert_eq!(database.entries().await, [0_i64; 0]);
}

#[tokio::test]
async fn many_share_one_connection_one_after_the_other() {
    let database = Database::new().await;
    let mediator = mediator(&database);
    let sending = (1..=20).map(|number| {
        let mediator = mediator.clone();
        let last = if number % 2 == 0 { Fail } else { Emit(vec![Write(100 + number)]) };
        tokio::spawn(async move { mediator.send(Writing(vec![Write(number), last])).await.is_ok() })
    });
    for (sent, succeeds) in sending.collect::<Vec<_>>().into_iter().zip([true, false].into_iter().cycle()) {
        assert_eq!(sent.await.unwrap(), succeeds);
    }
    let odd = (1..=20).step_by(2);
    assert_eq!(database.entries().await, odd.clone().chain(odd.map(|number| 100 + number)).collect::<Vec<i64>>());
}
