#![cfg(all(feature = "postgres", feature = "sqlite"))]
//! A row of the outbox that no program can read: a newer one has written it, or somebody has changed it by hand.

mod support;

use std::time::Duration;

use diator::InMemoryBroker;
use diator::broker::PublishError;
use diator::outbox::{DeadLetterFilter, DeadLetters, OutboxStore};
use diator::relay::Relay;
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::{PgPool, SqlitePool};
use support::Directory;
use support::outbox::{bodies, commit_one, message, publish};
use tokio::time::sleep;

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

/// Each is listed, and can be discarded by its id.
async fn hides_no_other_dead_letter<DB: Engine>(store: SqlxStore<DB>, execute: impl AsyncFn(&'static str))
where
    SqlxStore<DB>: OutboxStore + DeadLetters,
    Transaction<DB>: StagesRows,
{
    for key in ["key 1", "key 2"] {
        commit_one(&store, message(Some(key), key)).await;
    }
    let broker = InMemoryBroker::new();
    broker.refuse_if(|_| Some(PublishError::fatal("too large")));
    let dead = async {
        while store.status().await.unwrap().dead < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    Relay::new(store.clone()).broker(broker).attempts(1).run_until(dead).await.unwrap();
    execute("UPDATE diator_dead_letter SET headers = 'no JSON' WHERE key = 'key 1'").await;
    let letters = store.list(&DeadLetterFilter::default()).await.unwrap();
    let (unreadable, readable): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter.message.is_err());
    assert_eq!((unreadable.len(), readable.len()), (1, 1), "{letters:?}");
    assert_eq!((&*unreadable[0].reason, unreadable[0].attempts), ("too large", 1));
    let mut filter = DeadLetterFilter::default();
    filter.ids = vec![unreadable[0].id];
    assert_eq!(store.discard(&filter).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_unreadable_holds_up_little_on_postgres() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        holds_up_nothing_else(store.clone(), async |sql| drop(postgres.psql(sql))).await;
        hides_no_other_dead_letter(store, async |sql| drop(postgres.psql(sql))).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_unreadable_holds_up_little_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join("outbox.sqlite")));
        let store = SqlxStore::new(pool.clone());
        store.apply_schema().await.unwrap();
        let execute = async |sql: &'static str| {
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        };
        holds_up_nothing_else(store.clone(), execute).await;
        hides_no_other_dead_letter(store, execute).await;
    })
    .await;
}
