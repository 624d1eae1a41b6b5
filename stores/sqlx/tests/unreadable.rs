#![cfg(all(feature = "postgres", feature = "sqlite"))]
//! A row of the outbox that no program can read: a newer one has written it, or somebody has changed it by hand.

mod support;

use diator::InMemoryBroker;
use diator::outbox::OutboxStore;
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::{PgPool, SqlitePool};
use support::Directory;
use support::outbox::{bodies, commit_one, message, publish};

const SPOIL: &str = "UPDATE diator_outbox SET message_type = 'something_new' WHERE key = 'key 7'";
const MEND: &str = "UPDATE diator_outbox SET message_type = 'notification_event' WHERE key = 'key 7'";

/// Only what stands behind it in its partition waits, and goes once the row is mended.
async fn holds_up_nothing_else<DB: Engine>(store: SqlxStore<DB>, execute: impl AsyncFn(&'static str))
where
    SqlxStore<DB>: OutboxStore,
    Transaction<DB>: StagesRows,
{
    for number in 0..20 {
        commit_one(&store, message(Some(&format!("key {number}")), number)).await;
    }
    execute(SPOIL).await;
    let broker = InMemoryBroker::new();
    // 20 keys are in 16 partitions or more.
    publish(store.clone(), &broker, 15).await;
    assert!(!bodies(&broker.published()).contains(&"7".to_owned()));
    execute(MEND).await;
    publish(store, &broker, 20).await;
    assert_eq!(broker.len(), 20);
}

#[tokio::test]
async fn an_unreadable_row_holds_up_its_partition_alone_on_postgres() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        holds_up_nothing_else(store, async |sql| drop(postgres.psql(sql))).await;
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_row_holds_up_its_partition_alone_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join("outbox.sqlite")));
        let store = SqlxStore::new(pool.clone());
        store.apply_schema().await.unwrap();
        let execute = async |sql: &'static str| {
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        };
        holds_up_nothing_else(store, execute).await;
    })
    .await;
}
