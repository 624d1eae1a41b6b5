//! The transaction on a SQLite database in a file, which other connections read and write.
#![cfg(feature = "sqlite")]

mod support;

use std::time::Duration;

use diator::BoxError;
use diator::container::{CommitError, CommitOutcome, Savepoints, UnitOfWork};
use diator_sqlx::{Mode, Transaction, is_transient};
use diator_testkit::within_patience;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Connection, Sqlite, SqlitePool};

use crate::support::{DROPS, Directory, Drops, dropped};

type Tx = Transaction<Sqlite>;

struct Database {
    directory: Directory,
    others: SqlitePool,
}

impl Database {
    async fn new(sql: &'static str) -> Self {
        let directory = Directory::new();
        let others = pool(&directory, 2).await;
        sqlx::raw_sql(sql).execute(&others).await.unwrap();
        Self { directory, others }
    }

    async fn pool(&self) -> SqlitePool {
        pool(&self.directory, 1).await
    }

    async fn ids(&self) -> Vec<i64> {
        sqlx::query_scalar("SELECT id FROM entry ORDER BY id").fetch_all(&self.others).await.unwrap()
    }

    /// The next user of the only connection is in no transaction, its commit counts, and others can write.
    async fn is_clean(&self, pool: &SqlitePool, allowed: &[&[i64]], context: &str) {
        let mut connection = pool.acquire().await.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(!connection.is_in_transaction(), "{context}");
        let begun = connection.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.unwrap_or_else(|error| panic!("{context}: {error}"));
        sqlx::query("INSERT INTO entry VALUES (90)").execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        drop(connection);
        let written = sqlx::query("DELETE FROM entry WHERE id = 90").execute(&self.others).await;
        let written = written.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(written.rows_affected(), 1, "{context}");
        let found = self.ids().await;
        assert!(allowed.contains(&&*found), "{context}: {found:?}");
        sqlx::query("DELETE FROM entry").execute(&self.others).await.unwrap();
    }
}

const TABLE: &str = "CREATE TABLE entry (id INTEGER PRIMARY KEY)";

async fn pool(directory: &Directory, connections: u32) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(directory.0.join("database")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).busy_timeout(Duration::from_millis(100));
    SqlitePoolOptions::new().max_connections(connections).connect_with(options).await.unwrap()
}

async fn insert(transaction: &Tx, id: i64) -> Result<(), BoxError> {
    let mut connection = transaction.connection().await?;
    sqlx::query("INSERT INTO entry VALUES (?)").bind(id).execute(&mut *connection).await?;
    Ok(())
}

/// Uses everything that waits.
async fn work(pool: &SqlitePool, ends: bool) -> Result<(), BoxError> {
    let transaction = Tx::new(pool.clone(), Mode::Write);
    {
        let mut connection = transaction.connection().await?;
        sqlx::query("INSERT INTO entry VALUES (1)").execute(&mut *connection).await?;
        let mut nested = connection.begin().await?;
        sqlx::query("INSERT INTO entry VALUES (2)").execute(&mut *nested).await?;
        nested.commit().await?;
        let mut nested = connection.begin().await?;
        sqlx::query("INSERT INTO entry VALUES (3)").execute(&mut *nested).await?;
        nested.rollback().await?;
    }
    transaction.set("diator_1").await?;
    insert(&transaction, 4).await?;
    transaction.roll_back_to("diator_1").await?;
    transaction.release("diator_1").await?;
    match ends {
        true => transaction.commit().await.map_err(CommitError::into_source),
        false => transaction.roll_back().await,
    }
}

#[tokio::test]
async fn a_future_may_be_dropped_anywhere() {
    let database = Database::new(TABLE).await;
    let pool = database.pool().await;
    let mut drops_seen = 0;
    for ends in [true, false] {
        for drops in DROPS {
            for times in 0..40 {
                let context = format!("{drops:?} {times}, commit: {ends}");
                let ended = within_patience(dropped(drops, times, work(&pool, ends))).await;
                within_patience(database.is_clean(&pool, &[&[], &[1, 2]], &context)).await;
                drops_seen += usize::from(ended.is_none());
                ended.unwrap_or(Ok(())).unwrap();
            }
        }
    }
    // How often a future is pending depends on how fast the other side answers.
    assert!(drops_seen > 20, "{drops_seen}");
}

#[tokio::test]
async fn a_dropped_transaction_rolls_back() {
    let database = Database::new(TABLE).await;
    let pool = database.pool().await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    drop(transaction);
    database.is_clean(&pool, &[&[]], "").await;
}

#[tokio::test]
async fn savepoints_undo_a_part() {
    let database = Database::new(TABLE).await;
    let pool = database.pool().await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    // Nothing has begun: to undo this one is to undo all.
    transaction.set("diator_1").await.unwrap();
    insert(&transaction, 1).await.unwrap();
    transaction.roll_back_to("diator_1").await.unwrap();
    insert(&transaction, 2).await.unwrap();
    transaction.release("diator_1").await.unwrap();
    transaction.set("diator_2").await.unwrap();
    insert(&transaction, 3).await.unwrap();
    transaction.roll_back_to("diator_2").await.unwrap();
    transaction.release("diator_2").await.unwrap();
    insert(&transaction, 4).await.unwrap();
    // Its rollback is sent with the next statement, which is the commit.
    let mut connection = transaction.connection().await.unwrap();
    let mut nested = connection.begin().await.unwrap();
    sqlx::query("INSERT INTO entry VALUES (5)").execute(&mut *nested).await.unwrap();
    drop(nested);
    drop(connection);
    transaction.commit().await.unwrap();
    database.is_clean(&pool, &[&[2, 4]], "").await;
}

/// It may have ended or not; but it never says that it committed what is not there.
#[tokio::test]
async fn a_dropped_begin_within_it_never_lies() {
    let database = Database::new(TABLE).await;
    let pool = database.pool().await;
    for drops in DROPS {
        for carries_on in [true, false] {
            let transaction = Tx::new(pool.clone(), Mode::Write);
            insert(&transaction, 1).await.unwrap();
            let mut connection = transaction.connection().await.unwrap();
            let was_dropped =
                dropped(drops, usize::from(matches!(drops, Drops::Polls)), connection.begin()).await.is_none();
            drop(connection);
            let carried_on = if carries_on { insert(&transaction, 2).await } else { Ok(()) };
            let committed = transaction.commit().await;
            let context = format!("{drops:?} {carries_on}");
            assert!(carried_on.is_ok() || committed.is_err(), "{context}");
            assert_eq!(was_dropped, committed.is_err(), "{context}");
            let expected: &[i64] = match (committed.is_ok(), carries_on) {
                (true, true) => &[1, 2],
                (true, false) => &[1],
                (false, _) => &[],
            };
            database.is_clean(&pool, &[expected], &context).await;
        }
    }
}

const ENDING: &str = "CREATE TABLE entry (id INTEGER PRIMARY KEY);
    CREATE TRIGGER ends BEFORE INSERT ON entry WHEN new.id < 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END";

#[tokio::test]
async fn nothing_is_written_after_sqlite_has_ended_it() {
    let database = Database::new(ENDING).await;
    let pool = database.pool().await;
    for nested in [true, false] {
        let transaction = Tx::new(pool.clone(), Mode::Write);
        insert(&transaction, 1).await.unwrap();
        if nested {
            transaction.set("diator_1").await.unwrap();
        }
        insert(&transaction, -1).await.unwrap_err();
        if nested {
            transaction.roll_back_to("diator_1").await.unwrap_err();
        }
        insert(&transaction, 2).await.unwrap_err();
        transaction.set("diator_2").await.unwrap_err();
        assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown);
        database.is_clean(&pool, &[&[]], "").await;
    }
}

#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_leaves_no_trace() {
    let database = Database::new(ENDING).await;
    let pool = database.pool().await;
    for ends in ["commits", "rolls back", "is dropped"] {
        let transaction = Tx::new(pool.clone(), Mode::Write);
        insert(&transaction, 1).await.unwrap();
        insert(&transaction, -1).await.unwrap_err();
        match ends {
            "commits" => assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown),
            "rolls back" => transaction.roll_back().await.unwrap(),
            _ => drop(transaction),
        }
        database.is_clean(&pool, &[&[]], ends).await;
    }
}

#[tokio::test]
async fn a_deferred_foreign_key_rolls_back() {
    let sql = "CREATE TABLE entry (id INTEGER PRIMARY KEY);
        CREATE TABLE part (entry INTEGER REFERENCES entry DEFERRABLE INITIALLY DEFERRED)";
    let database = Database::new(sql).await;
    let pool = database.pool().await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    let part = sqlx::query("INSERT INTO part VALUES (7)");
    part.execute(&mut *transaction.connection().await.unwrap()).await.unwrap();
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::RolledBack);
    assert!(!is_transient(&*error.into_source()));
    database.is_clean(&pool, &[&[]], "").await;
}

#[tokio::test]
async fn a_commit_that_readers_block_rolls_back() {
    let database = Database::new("PRAGMA journal_mode = DELETE; CREATE TABLE entry (id INTEGER PRIMARY KEY)").await;
    let options = SqliteConnectOptions::new().filename(database.directory.0.join("database"));
    let options = options.journal_mode(SqliteJournalMode::Delete).busy_timeout(Duration::from_millis(50));
    database.others.close().await;
    let others = SqlitePoolOptions::new().max_connections(2).connect_with(options.clone()).await.unwrap();
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut reader = others.begin().await.unwrap();
    sqlx::query("SELECT * FROM entry").fetch_all(&mut *reader).await.unwrap();
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::RolledBack);
    assert!(is_transient(&*error.into_source()));
    reader.rollback().await.unwrap();
    let database = Database { others, ..database };
    database.is_clean(&pool, &[&[]], "").await;
}

#[tokio::test]
async fn a_query_takes_no_lock_for_writing() {
    let database = Database::new(TABLE).await;
    let pool = database.pool().await;
    let query = Tx::new(pool.clone(), Mode::Read);
    let read = sqlx::query("SELECT * FROM entry");
    read.fetch_all(&mut *query.connection().await.unwrap()).await.unwrap();
    let command = Tx::new(database.others.clone(), Mode::Write);
    insert(&command, 1).await.unwrap();
    let other = Tx::new(database.others.clone(), Mode::Write);
    let error = other.connection().await.unwrap_err();
    assert!(is_transient(&*error), "{error}");
    // Also while somebody writes, a query begins.
    query.commit().await.unwrap();
    let query = Tx::new(pool.clone(), Mode::Read);
    drop(query.connection().await.unwrap());
    command.commit().await.unwrap();
    query.roll_back().await.unwrap();
    database.is_clean(&pool, &[&[1]], "").await;
}
