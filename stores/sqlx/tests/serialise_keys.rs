#![cfg(feature = "postgres")]
//! Units of work that emit events of one key, and have no row in common.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use diator::InMemoryBroker;
use diator::container::Outcome;
use diator::outbox::{Outbox, StagedMessage};
use diator::{Container, MessageKind, Meta};
use diator_sqlx::SqlxStore;
use diator_testkit::{Postgres, within_patience};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use support::outbox::{bodies, commit, message, publish};
use tokio::time::{sleep, timeout};

async fn store(postgres: &Postgres) -> SqlxStore<sqlx::Postgres> {
    let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
    postgres.psql("CREATE SCHEMA shop");
    let store = store.prefix("shop.outbox_").unwrap().serialise_keys();
    store.apply_schema().await.unwrap();
    store
}

#[tokio::test]
async fn who_emits_for_a_key_waits_for_the_commit_before() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = store(&postgres).await;
        let (services, meta, outbox) = (store.services(), Meta::new(), store.outbox());
        let scope = services.open(&meta, MessageKind::Command).get().await.unwrap();
        outbox.stage(&*scope, &meta, &[StagedMessage::new(message(Some("a"), "first"))]).await.unwrap();
        let second = tokio::spawn({
            let store = store.clone();
            async move { commit(&store, vec![StagedMessage::new(message(Some("a"), "second"))]).await }
        });
        // Another key waits for nobody, nor does one without a key.
        let others = vec![StagedMessage::new(message(Some("b"), "b")), StagedMessage::new(message(None, "none"))];
        timeout(Duration::from_secs(5), commit(&store, others)).await.unwrap().unwrap();
        sleep(Duration::from_millis(300)).await;
        assert!(!second.is_finished());
        scope.close(Outcome::Success).get().await.map_err(|_| "it commits").unwrap();
        second.await.unwrap().unwrap();
        let broker = InMemoryBroker::new();
        publish(store, &broker, 4).await;
        let mut published = bodies(&broker.published());
        published.retain(|body| body == "first" || body == "second");
        assert_eq!(published, ["first", "second"]);
    })
    .await;
}

#[tokio::test]
async fn the_order_of_keys_does_not_matter_and_nobody_deadlocks() {
    within_patience(async {
        let postgres = Postgres::start(&["log_lock_waits=on"]);
        let store = store(&postgres).await;
        let workers = (0..8_usize).map(|worker| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..40_usize {
                    let mut keys: Vec<_> =
                        (0..6).map(|key| format!("key {}", (key * (worker + 1) + round) % 7)).collect();
                    if worker % 2 == 0 {
                        keys.reverse();
                    }
                    let staged =
                        |key: &String| StagedMessage::new(message(Some(key), format!("{worker} {round:03} {key}")));
                    commit(&store, keys.iter().map(staged).collect()).await.expect("no deadlock");
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        let broker = InMemoryBroker::new();
        publish(store, &broker, 8 * 40 * 6).await;
        // Each worker's own order, per key.
        let mut last: HashMap<(String, String), String> = HashMap::new();
        for body in bodies(&broker.published()) {
            let (worker, rest) = body.split_once(' ').unwrap();
            let (round, key) = rest.split_once(' ').unwrap();
            let before = last.insert((worker.to_owned(), key.to_owned()), round.to_owned());
            assert!(before.is_none_or(|before| *before <= *round), "{body}");
        }
    })
    .await;
}

/// A statement has room for 65,535 parameters, and a connection for a hundred statements.
#[tokio::test]
async fn any_number_of_keys_is_one_parameter_of_one_statement() {
    within_patience(async {
        let postgres = Postgres::start(&["max_locks_per_transaction=2048", "max_connections=64"]);
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy(&postgres.url()).unwrap();
        let store = SqlxStore::new(pool.clone()).serialise_keys();
        store.apply_schema().await.unwrap();
        let staged = |key: usize| StagedMessage::new(message(Some(&format!("\\ \" ' größe {key}")), key));
        for keys in (1..=8).chain([70_000]) {
            commit(&store, (0..keys).map(staged).collect()).await.expect("it commits");
        }
        let prepared =
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT pg_advisory_xact_lock(lock)%'";
        let prepared: i64 = sqlx::query_scalar(prepared).fetch_one(&pool).await.unwrap();
        assert_eq!(prepared, 1);
    })
    .await;
}
