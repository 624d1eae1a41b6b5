//! Whether a program can use its tables: one that is missing or not permitted, and SQLite that was set up otherwise.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

mod support;

use diator::Inbox;
use diator::outbox::{OutboxStore, StoreSchema};
use diator_sqlx::{Engine, EntersRows, SqlxStore, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Executor, PgPool, SqlitePool, raw_sql};
use support::Directory;
use support::log::Log;

/// One table is gone although the version says otherwise; the check, the start and the command line name it.
async fn without_a_table<DB: Engine>(store: &SqlxStore<DB>, sql: impl AsyncFn(&'static str), told: &str)
where
    SqlxStore<DB>: OutboxStore + StoreSchema,
    Transaction<DB>: EntersRows,
{
    let inbox = store.inbox();
    assert!(inbox.check().await.unwrap_err().to_string().contains("`schema apply`"));
    store.apply().await.unwrap();
    inbox.check().await.unwrap();
    sql("DROP TABLE diator_inbox").await;
    for error in [store.check().await, inbox.check().await, store.state().await.map(drop)] {
        let error = error.unwrap_err();
        let source = error.source().unwrap().to_string();
        assert!(
            error.to_string().contains("`schema apply` does neither") && source.contains(told),
            "{error}: {source}"
        );
    }
}

#[tokio::test]
async fn a_table_that_is_missing_is_named_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join("a.sqlite")));
        let store = SqlxStore::new(pool.clone());
        let sql = async |text: &'static str| {
            raw_sql(text).execute(&pool).await.unwrap();
        };
        without_a_table(&store, sql, "no such table: diator_inbox").await;
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_missing_or_not_permitted_is_named_on_postgres() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let pool = PgPool::connect_lazy(&postgres.url()).unwrap();
        let store = SqlxStore::new(pool.clone());
        let sql = async |text: &'static str| {
            raw_sql(text).execute(&pool).await.unwrap();
        };
        without_a_table(&store, sql, "relation \"diator_inbox\" does not exist").await;
        sql("DROP TABLE diator_schema, diator_outbox, diator_outbox_lease, diator_schedule, diator_dead_letter, diator_delivery, diator_attempt").await;
        store.apply().await.unwrap();
        sql("CREATE ROLE app; GRANT SELECT ON ALL TABLES IN SCHEMA public TO app; REVOKE ALL ON diator_attempt FROM app").await;
        let options = PgPoolOptions::new().after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET ROLE app").await.map(drop) })
        });
        let limited = SqlxStore::new(options.connect_lazy(&postgres.url()).unwrap());
        for error in [limited.check().await, limited.inbox().check().await, limited.state().await.map(drop)] {
            let source = error.unwrap_err().source().unwrap().to_string();
            assert!(source.contains("permission denied for table diator_attempt"), "{source}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_pool_of_which_each_connection_has_its_own_database_gets_no_tables() {
    within_patience(async {
        let store =
            |most, options| SqlxStore::new(SqlitePoolOptions::new().max_connections(most).connect_lazy_with(options));
        let error = store(2, sqlite_options().in_memory(true)).apply_schema().await.unwrap_err().to_string();
        assert!(error.contains("has its own database in memory") && error.contains("`.max_connections(1)`"), "{error}");
        store(1, sqlite_options().in_memory(true)).apply_schema().await.unwrap();
        store(2, "sqlite::memory:".parse().unwrap()).apply_schema().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_with_another_journal_is_a_warning() {
    within_patience(async {
        let directory = Directory::new();
        for (journal, is_told) in [(SqliteJournalMode::Wal, false), (SqliteJournalMode::Delete, true)] {
            let file = directory.0.join(format!("{journal:?}.sqlite"));
            let store =
                SqlxStore::new(SqlitePool::connect_lazy_with(sqlite_options().filename(file).journal_mode(journal)));
            store.apply_schema().await.unwrap();
            let (log, _listening) = Log::listen();
            store.inbox().check().await.unwrap();
            let told = log.lines();
            assert_eq!(
                told.iter().any(|line| line.starts_with("WARN the journal of the SQLite file")),
                is_told,
                "{told:?}"
            );
        }
    })
    .await;
}
