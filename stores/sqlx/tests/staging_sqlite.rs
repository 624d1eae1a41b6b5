//! On SQLite an event never becomes a row when the transaction that it belongs to has ended.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::Arc;

use diator::container::{CommitError, CommitOutcome, Outcome, Savepoints, Scope};
use diator::outbox::{Outbox, StagedMessage};
use diator::{BoxError, Container, MessageKind, Meta};
use diator_sqlx::{SqlxStore, Transaction, sqlite_options};
use diator_testkit::within_patience;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection, Sqlite, SqlitePool};
use support::outbox::message;

use crate::support::{DROPS, Directory, Drops, dropped};

struct Database {
    _directory: Directory,
    ours: SqlitePool,
    others: SqlitePool,
    store: SqlxStore<Sqlite>,
}

impl Database {
    async fn new() -> Self {
        let directory = Directory::new();
        let options = sqlite_options().filename(directory.0.join("database"));
        let pool =
            |connections| SqlitePoolOptions::new().max_connections(connections).connect_lazy_with(options.clone());
        let ours = pool(1);
        let store = SqlxStore::new(ours.clone());
        store.apply_schema().await.unwrap();
        let others = pool(2);
        let tables = "CREATE TABLE entry (id INTEGER PRIMARY KEY);
            CREATE TRIGGER ends BEFORE INSERT ON entry WHEN new.id < 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END;
            CREATE TRIGGER ends_too BEFORE INSERT ON diator_outbox WHEN new.body = CAST('ends' AS BLOB)
            BEGIN SELECT RAISE(ROLLBACK, 'no'); END;
            CREATE TRIGGER refuses BEFORE INSERT ON diator_outbox WHEN new.body = CAST('refused' AS BLOB)
            BEGIN SELECT RAISE(ABORT, 'no'); END";
        sqlx::raw_sql(tables).execute(&others).await.unwrap();
        Self { _directory: directory, ours, others, store }
    }

    async fn command(&self) -> Command {
        let (services, meta) = (self.store.services(), Meta::new());
        let scope = services.open(&meta, MessageKind::Command).get().await.unwrap();
        let transaction = scope.get(&meta).await.unwrap();
        Command { scope, meta, transaction, store: self.store.clone() }
    }

    /// Which entries and events are committed; then they are gone, and the next command finds a clean connection.
    async fn committed(&self) -> (Vec<i64>, Vec<String>) {
        // A commit that was dropped ends before its connection, the only one, returns.
        drop(self.ours.acquire().await.unwrap());
        let entries = sqlx::query_scalar("SELECT id FROM entry ORDER BY id").fetch_all(&self.others).await.unwrap();
        let bodies = sqlx::query_scalar("SELECT CAST(body AS TEXT) FROM diator_outbox ORDER BY seq");
        let bodies = bodies.fetch_all(&self.others).await.unwrap();
        sqlx::raw_sql("DELETE FROM entry; DELETE FROM diator_outbox").execute(&self.others).await.unwrap();
        let command = self.command().await;
        command.insert(90).await.unwrap();
        command.stage("clean").await.unwrap();
        command.commit().await.unwrap();
        let deleted =
            sqlx::raw_sql("DELETE FROM entry; DELETE FROM diator_outbox").execute(&self.others).await.unwrap();
        assert_eq!(deleted.rows_affected(), 2);
        (entries, bodies)
    }
}

struct Command {
    scope: Box<dyn Scope>,
    meta: Meta,
    transaction: Arc<Transaction<Sqlite>>,
    store: SqlxStore<Sqlite>,
}

impl Command {
    async fn insert(&self, id: i64) -> Result<(), BoxError> {
        let mut connection = self.transaction.connection().await?;
        sqlx::query("INSERT INTO entry VALUES (?)").bind(id).execute(&mut *connection).await?;
        Ok(())
    }

    async fn stage(&self, body: &str) -> Result<(), BoxError> {
        self.store.outbox().stage(&*self.scope, &self.meta, &[StagedMessage::new(message(None, body))]).await
    }

    async fn commit(self) -> Result<(), CommitError> {
        drop(self.transaction);
        self.scope.close(Outcome::Success).get().await
    }
}

fn texts(bodies: &[&str]) -> Vec<String> {
    bodies.iter().map(|body| (*body).to_owned()).collect()
}

#[tokio::test]
async fn nothing_is_staged_after_the_transaction_has_ended_by_itself() {
    let database = Database::new().await;
    for staged_before in [false, true] {
        let command = database.command().await;
        command.insert(1).await.unwrap();
        if staged_before {
            command.stage("before").await.unwrap();
        }
        command.insert(-1).await.unwrap_err();
        let error = command.stage("after").await.unwrap_err();
        assert!(error.to_string().contains("rolled back by itself"), "{error}");
        command.insert(2).await.unwrap_err();
        assert_eq!(command.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown);
        assert_eq!(database.committed().await, (vec![], vec![]), "staged before: {staged_before}");
    }
}

#[tokio::test]
async fn nothing_is_staged_in_a_transaction_of_somebody_else() {
    let database = Database::new().await;
    let command = database.command().await;
    command.insert(1).await.unwrap();
    let mistake = sqlx::raw_sql("ROLLBACK; BEGIN");
    mistake.execute(&mut *command.transaction.connection().await.unwrap()).await.unwrap();
    command.stage("elsewhere").await.unwrap_err();
    command.scope.close(Outcome::Failure).get().await.unwrap();
    drop(command.transaction);
    assert_eq!(database.committed().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_commit_after_staging_never_lies() {
    let database = Database::new().await;
    let command = database.command().await;
    command.insert(1).await.unwrap();
    command.stage("first").await.unwrap();
    command.insert(-1).await.unwrap_err();
    assert_eq!(command.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown);
    assert_eq!(database.committed().await, (vec![], vec![]));
    for drops in DROPS {
        let command = database.command().await;
        command.insert(1).await.unwrap();
        command.stage("first").await.unwrap();
        let mut connection = command.transaction.connection().await.unwrap();
        let polls = usize::from(matches!(drops, Drops::Polls));
        let was_dropped = dropped(drops, polls, connection.begin()).await.is_none();
        drop(connection);
        let committed = command.commit().await;
        assert_eq!(was_dropped, committed.is_err(), "{drops:?}");
        let expected = if was_dropped { (vec![], vec![]) } else { (vec![1], texts(&["first"])) };
        assert_eq!(database.committed().await, expected, "{drops:?}");
    }
}

#[tokio::test]
async fn a_failed_staging_leaves_the_transaction_as_it_is() {
    let database = Database::new().await;
    let command = database.command().await;
    command.insert(1).await.unwrap();
    let error = command.stage("refused").await.unwrap_err();
    assert!(error.to_string().ends_with("no"), "{error}");
    command.insert(2).await.unwrap();
    command.stage("taken").await.unwrap();
    command.commit().await.unwrap();
    assert_eq!(database.committed().await, (vec![1, 2], texts(&["taken"])));
    let command = database.command().await;
    command.insert(1).await.unwrap();
    command.stage("ends").await.unwrap_err();
    command.insert(2).await.unwrap_err();
    assert_eq!(command.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown);
    assert_eq!(database.committed().await, (vec![], vec![]));
}

#[tokio::test]
async fn savepoints_undo_what_was_staged_after_them() {
    let database = Database::new().await;
    let command = database.command().await;
    command.insert(1).await.unwrap();
    command.transaction.set("diator_1").await.unwrap();
    command.insert(2).await.unwrap();
    command.stage("undone").await.unwrap();
    command.transaction.roll_back_to("diator_1").await.unwrap();
    command.transaction.release("diator_1").await.unwrap();
    let mut connection = command.transaction.connection().await.unwrap();
    let mut nested = connection.begin().await.unwrap();
    sqlx::query("INSERT INTO entry VALUES (3)").execute(&mut *nested).await.unwrap();
    // Its rollback is in the queue.
    drop(nested);
    drop(connection);
    command.stage("kept").await.unwrap();
    command.commit().await.unwrap();
    assert_eq!(database.committed().await, (vec![1], texts(&["kept"])));
}

#[tokio::test]
async fn a_staging_or_its_commit_may_be_dropped_anywhere() {
    let database = Database::new().await;
    let mut drops_seen = 0;
    for drops in DROPS {
        for times in 0..20 {
            let work = async {
                let command = database.command().await;
                command.insert(1).await.unwrap();
                command.stage("event").await.unwrap();
                command.commit().await.unwrap();
            };
            let ended = within_patience(dropped(drops, times, work)).await;
            drops_seen += usize::from(ended.is_none());
            let found = within_patience(database.committed()).await;
            let whole = (vec![1], texts(&["event"]));
            assert!(found == whole || ended.is_none() && found == (vec![], vec![]), "{drops:?} {times}: {found:?}");
        }
    }
    assert!(drops_seen > 10, "{drops_seen}");
}
