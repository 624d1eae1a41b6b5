#![cfg(feature = "postgres")]
//! How a relay learns of commits of another process: two stores on two pools share nothing but the database.

mod support;

use std::time::{Duration, Instant};

use diator::container::{CommitError, Outcome};
use diator::outbox::{Outbox, OutboxStore, StagedMessage};
use diator::{Container, MessageKind, Meta};
use diator_sqlx::SqlxStore;
use diator_testkit::{Postgres, Proxy, within_patience};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use support::log::Log;
use support::outbox::{commit_one, message};
use tokio::time::{sleep, timeout};

/// Longer than anything but a wake that is lost.
const LOST: Duration = Duration::from_secs(20);

async fn two_stores(postgres: &Postgres) -> (SqlxStore<sqlx::Postgres>, SqlxStore<sqlx::Postgres>) {
    let store = || SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
    let (ours, theirs) = (store(), store());
    ours.apply_schema().await.unwrap();
    (ours, theirs)
}

/// Waits until it listens, and has had the wake that follows from it.
async fn listens(store: &SqlxStore<sqlx::Postgres>) {
    timeout(LOST, store.woken()).await.expect("whoever begins to listen is woken once");
}

fn listeners(postgres: &Postgres) -> String {
    postgres.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
}

#[tokio::test]
async fn another_process_is_woken_soon_after_a_commit() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (ours, theirs) = two_stores(&postgres).await;
        listens(&theirs).await;
        let mut latencies = Vec::new();
        for number in 0..20 {
            commit_one(&ours, message(None, number)).await;
            let committed = Instant::now();
            timeout(LOST, theirs.woken()).await.expect("it is told");
            latencies.push(committed.elapsed());
            sleep(Duration::from_millis(60)).await;
        }
        latencies.sort();
        println!("median {:?}, worst {:?}", latencies[10], latencies[19]);
        assert!(latencies[10] < Duration::from_millis(100), "{latencies:?}");
    })
    .await;
}

#[tokio::test]
async fn many_commits_are_few_notifications_and_none_within_a_transaction() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (ours, theirs) = two_stores(&postgres).await;
        let mut all = PgListener::connect(&postgres.url()).await.unwrap();
        all.listen("diator_outbox").await.unwrap();
        let began = Instant::now();
        let mut commits = 0;
        while began.elapsed() < Duration::from_secs(2) {
            commit_one(&ours, message(None, commits)).await;
            commits += 1;
        }
        let took = began.elapsed();
        let mut notifications: u32 = 0;
        while let Ok(told) = timeout(Duration::from_millis(300), all.recv()).await {
            assert_ne!(told.unwrap().payload(), "");
            notifications += 1;
        }
        println!("{commits} commits in {took:?}: {notifications} notifications");
        assert!(commits > 40 && notifications > 0);
        assert!(f64::from(notifications) <= took.as_secs_f64() * 200.0 + 2.0, "{notifications} in {took:?}");
        // The transaction itself says nothing: it is the outbox that is told of the commit.
        let (services, meta, outbox) = (ours.services(), Meta::new(), ours.outbox());
        let scope = services.open(&meta, MessageKind::Command).get().await.unwrap();
        outbox.stage(&*scope, &meta, &[StagedMessage::new(message(None, "silent"))]).await.unwrap();
        scope.close(Outcome::Success).get().await.map_err(CommitError::into_source).unwrap();
        assert!(timeout(Duration::from_millis(300), all.recv()).await.is_err());
        drop(theirs);
    })
    .await;
}

#[tokio::test]
async fn who_listens_comes_back_after_a_restart_of_the_server() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (ours, theirs) = two_stores(&postgres).await;
        let (log, _listening) = Log::listen();
        listens(&theirs).await;
        postgres.kill();
        // It tries again and again.
        sleep(Duration::from_millis(700)).await;
        postgres.restart();
        // It does not know what it has missed.
        listens(&theirs).await;
        while ours.status().await.is_err() {}
        commit_one(&ours, message(None, 1)).await;
        timeout(LOST, theirs.woken()).await.expect("it listens again");
        assert_eq!(listeners(&postgres), "1");
        let told = log.lines();
        let [lost, again] = &told[..] else { panic!("{told:?}") };
        assert!(lost.starts_with("WARN the relay gets no notifications of other processes"), "{lost}");
        assert!(again.starts_with("INFO the relay gets the notifications of other processes again"), "{again}");
    })
    .await;
}

#[tokio::test]
async fn who_listens_over_a_network_that_forgot_the_connection_notices() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (ours, _) = two_stores(&postgres).await;
        let proxy = Proxy::start(([127, 0, 0, 1], postgres.port()).into());
        let url = format!("postgres://postgres@{}/postgres", proxy.address());
        let theirs = SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&url).unwrap());
        listens(&theirs).await;
        proxy.swallow();
        // Half a minute and more pass in no time.
        tokio::time::pause();
        sleep(Duration::from_secs(41)).await;
        tokio::time::resume();
        listens(&theirs).await;
        commit_one(&ours, message(None, 1)).await;
        timeout(LOST, theirs.woken()).await.expect("it listens again");
    })
    .await;
}

#[tokio::test]
async fn it_listens_as_long_as_the_store_is_there() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (ours, theirs) = two_stores(&postgres).await;
        listens(&theirs).await;
        assert_eq!(listeners(&postgres), "1");
        drop((ours, theirs));
        while listeners(&postgres) != "0" {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_that_was_told_so_neither_tells_nor_listens() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (ours, theirs) = two_stores(&postgres).await;
        let (ours, theirs) = (ours.notify(false), theirs.notify(false));
        let woken = theirs.woken();
        commit_one(&ours, message(None, 1)).await;
        assert!(timeout(Duration::from_millis(500), woken).await.is_err());
        assert_eq!(listeners(&postgres), "0");
        // Its own relay is woken still.
        timeout(LOST, ours.woken()).await.expect("it knows of its own commits");
    })
    .await;
}

#[tokio::test]
async fn the_longest_prefix_is_short_enough_for_a_channel() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (schema, name) = ("s".repeat(40), "p".repeat(16));
        postgres.psql(&format!("CREATE SCHEMA {schema}"));
        let prefix = format!("{schema}.{name}");
        let (ours, theirs) = two_stores(&postgres).await;
        let (ours, theirs) = (ours.prefix(&prefix).unwrap(), theirs.prefix(&prefix).unwrap());
        ours.apply_schema().await.unwrap();
        listens(&theirs).await;
        commit_one(&ours, message(None, 1)).await;
        timeout(LOST, theirs.woken()).await.expect("it is told");
    })
    .await;
}
