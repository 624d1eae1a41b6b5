//! Relays on real databases: their neighbours, their settings, and what an operator does beside them.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

mod support;

use std::time::{Duration, SystemTime};

use diator::InMemoryBroker;
use diator::broker::PublishError;
use diator::outbox::{DeadLetterFilter, DeadLetters, OutboxStore, RelayId, StagedMessage, StoreSchema};
use diator::relay::{OnDead, Relay};
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{PgPool, Sqlite, SqlitePool};
use support::Directory;
use support::outbox::{bodies, commit, commit_one, message, publish};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

async fn until<S: OutboxStore>(store: &S, holds: impl Fn(diator::outbox::OutboxStatus) -> bool) {
    while !holds(store.status().await.unwrap()) {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Two outboxes in one database know nothing of each other.
async fn neighbours<DB: Engine>(one: SqlxStore<DB>, other: SqlxStore<DB>)
where
    Transaction<DB>: StagesRows,
    SqlxStore<DB>: OutboxStore,
{
    let (to_one, to_other) = (InMemoryBroker::new(), InMemoryBroker::new());
    for number in 0..5 {
        commit_one(&one, message(Some("a"), format!("one {number}"))).await;
        commit_one(&other, message(Some("a"), format!("other {number}"))).await;
    }
    tokio::join!(publish(one.clone(), &to_one, 5), publish(other.clone(), &to_other, 5));
    assert_eq!(bodies(&to_one.published()), [0, 1, 2, 3, 4].map(|number| format!("one {number}")));
    assert_eq!(bodies(&to_other.published()), [0, 1, 2, 3, 4].map(|number| format!("other {number}")));
    let cleaned = one.prune(RelayId(Uuid::now_v7()), Duration::ZERO, 100).await.unwrap();
    assert_eq!((cleaned, other.status().await.unwrap().sent), (5, 5));
    assert_eq!(other.prune(RelayId(Uuid::now_v7()), Duration::ZERO, 3).await.unwrap(), 3, "each has its own cleaner");
}

/// The operator's whole day: a batch of two, dead letters that park and such that do not, a replay, a cleaner.
async fn a_day<DB: Engine>(store: SqlxStore<DB>)
where
    Transaction<DB>: StagesRows,
    SqlxStore<DB>: OutboxStore + DeadLetters,
{
    let broker = InMemoryBroker::new();
    let relay = || Relay::new(store.clone()).broker(broker.clone()).poll(Duration::from_millis(100));
    let many: Vec<_> =
        (0..60).map(|number| StagedMessage::new(message(Some(&(number % 7).to_string()), number))).collect();
    commit(&store, many).await.unwrap();
    let few = relay().batch(2).partitions(1).run_until(broker.published_at_least(60));
    timeout(Duration::from_secs(30), few).await.expect("it gets on").unwrap();
    let published = bodies(&broker.take_published());
    for key in 0..7 {
        let of_key: Vec<u32> =
            published.iter().map(|body| body.parse().unwrap()).filter(|number| number % 7 == key).collect();
        assert!(of_key.is_sorted() && !of_key.is_empty(), "{of_key:?}");
    }

    let sent_before = store.status().await.unwrap().sent;
    broker.refuse_if(|message| (*message.body == b"bad"[..]).then(|| PublishError::fatal("too large")));
    for on_dead in [OnDead::Park, OnDead::Continue] {
        let messages = ["bad", "behind"].map(|body| StagedMessage::new(message(Some("k"), body)));
        commit(&store, messages.into()).await.unwrap();
        let dead = until(&store, |status| status.dead == 1 && (status.parked == 1 || status.pending == 0));
        relay().attempts(1).on_dead(on_dead).run_until(dead).await.unwrap();
        let letters = store.list(&DeadLetterFilter::default()).await.unwrap();
        assert_eq!((letters[0].attempts, &*letters[0].reason), (1, "too large"));
        let behind = if on_dead == OnDead::Park { 0 } else { 1 };
        assert_eq!(bodies(&broker.take_published()), vec!["behind"; behind]);
        assert_eq!(store.status().await.unwrap().oldest_seconds, None, "what is parked is not late");
        assert_eq!(store.discard(&DeadLetterFilter::default()).await.unwrap(), 1);
        relay().run_until(until(&store, |status| status.pending == 0)).await.unwrap();
        assert_eq!(bodies(&broker.take_published()), vec!["behind"; 1 - behind]);
    }
    broker.accept();

    let now = SystemTime::now();
    assert_eq!(OutboxStore::replay(&store, now + Duration::from_secs(60), None).await.unwrap(), 0);
    assert_eq!(OutboxStore::replay(&store, SystemTime::UNIX_EPOCH, Some("no such topic")).await.unwrap(), 0);
    let replayed = OutboxStore::replay(&store, now - Duration::from_secs(300), Some("orders")).await.unwrap();
    assert_eq!(replayed, sent_before + 2);
    relay().run_until(until(&store, |status| status.pending == 0)).await.unwrap();
    assert_eq!(broker.take_published().len() as u64, replayed);

    let (cleaner, other) = (RelayId(Uuid::now_v7()), RelayId(Uuid::now_v7()));
    assert_eq!(store.prune(cleaner, Duration::from_secs(3_600), 100).await.unwrap(), 0, "they are young");
    assert_eq!(store.prune(other, Duration::ZERO, 100).await.unwrap(), 0, "another one cleans");
    assert_eq!(store.prune(cleaner, Duration::MAX, 100).await.unwrap(), 0);
    assert_eq!(store.prune(cleaner, Duration::ZERO, 10).await.unwrap(), 10);
    assert_eq!(store.prune(cleaner, Duration::ZERO, 1_000).await.unwrap(), replayed - 10);
}

async fn on_postgres(postgres: &Postgres, prefix: &str) -> SqlxStore<sqlx::Postgres> {
    let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap()).prefix(prefix).unwrap();
    store.apply_schema().await.unwrap();
    store
}

async fn on_sqlite(directory: &Directory, prefix: &str) -> SqlxStore<Sqlite> {
    let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join("a.sqlite")));
    let store = SqlxStore::new(pool).prefix(prefix).unwrap();
    store.apply_schema().await.unwrap();
    store
}

#[tokio::test]
async fn outboxes_with_other_prefixes_are_apart() {
    within_patience(async {
        let (postgres, directory) = (Postgres::start(&[]), Directory::new());
        postgres.psql("CREATE SCHEMA shop");
        neighbours(on_postgres(&postgres, "shop.").await, on_postgres(&postgres, "shop_").await).await;
        neighbours(on_sqlite(&directory, "").await, on_sqlite(&directory, "other_").await).await;
    })
    .await;
}

#[tokio::test]
async fn an_operators_day_on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        a_day(on_postgres(&postgres, "diator_").await).await;
    })
    .await;
}

#[tokio::test]
async fn an_operators_day_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        a_day(on_sqlite(&directory, "diator_").await).await;
    })
    .await;
}

#[tokio::test]
async fn one_connection_is_enough() {
    async fn with_one<DB: Engine>(store: SqlxStore<DB>)
    where
        Transaction<DB>: StagesRows,
        SqlxStore<DB>: OutboxStore + StoreSchema,
    {
        store.apply_schema().await.unwrap();
        let broker = InMemoryBroker::new();
        let running = tokio::spawn({
            let (store, broker) = (store.clone(), broker.clone());
            async move { publish(store, &broker, 100).await }
        });
        for number in 0..100 {
            commit_one(&store, message(Some("a"), number)).await;
        }
        running.await.unwrap();
    }
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy(&postgres.url()).unwrap();
        with_one(SqlxStore::<sqlx::Postgres>::new(pool)).await;
        let in_memory = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        with_one(SqlxStore::<Sqlite>::new(in_memory)).await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_waits_for_a_database_that_is_away_and_its_health_says_so() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = on_postgres(&postgres, "diator_").await;
        commit_one(&store, message(Some("a"), 1)).await;
        let broker = InMemoryBroker::new();
        let relay = Relay::new(store.clone()).broker(broker.clone()).poll(Duration::from_millis(100));
        let monitor = relay.monitor();
        let running = tokio::spawn(relay.run_until(std::future::pending::<()>()));
        broker.published_at_least(1).await;
        for pauses in [true, false] {
            if pauses {
                postgres.pause();
            } else {
                postgres.kill();
            }
            sleep(Duration::from_millis(500)).await;
            let asked = std::time::Instant::now();
            let health = monitor.health().await;
            println!("paused: {pauses}: {health:?} after {:?}", asked.elapsed());
            assert!(asked.elapsed() < Duration::from_millis(2_500) && health.error.is_some(), "{health:?}");
            if pauses {
                postgres.resume();
            } else {
                postgres.restart();
            }
            until_reachable(&store).await;
            commit_one(&store, message(Some("a"), 2)).await;
            let came = broker.len() + 1;
            timeout(Duration::from_secs(60), broker.published_at_least(came)).await.expect("it goes on");
        }
        running.abort();
    })
    .await;
}

async fn until_reachable(store: &SqlxStore<sqlx::Postgres>) {
    while store.status().await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_a_relay_owned_that_died_goes_when_its_lease_is_over() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = on_postgres(&postgres, "diator_").await;
        commit_one(&store, message(Some("a"), 1)).await;
        let broker = InMemoryBroker::new();
        broker.hang();
        let relay = |broker: &InMemoryBroker| {
            let relay = Relay::new(store.clone()).broker(broker.clone()).poll(Duration::from_millis(100));
            relay.publish_deadline(Duration::from_secs(1)).lease(Duration::from_secs(3))
        };
        let begun = std::time::Instant::now();
        // Dropping it is what a crash is.
        assert!(
            timeout(Duration::from_millis(700), relay(&broker).run_until(std::future::pending::<()>())).await.is_err()
        );
        let other = InMemoryBroker::new();
        relay(&other).run_until(other.published_at_least(1)).await.unwrap();
        let took = begun.elapsed();
        assert!(took > Duration::from_secs(2) && took < Duration::from_secs(6), "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn relays_get_on_whatever_the_isolation_is_by_default() {
    within_patience(async {
        let postgres = Postgres::start(&["default_transaction_isolation=serializable"]);
        let store = on_postgres(&postgres, "diator_").await;
        let broker = InMemoryBroker::new();
        let relays: Vec<_> = (0..3)
            .map(|_| {
                let relay = Relay::new(store.clone()).broker(broker.clone()).poll(Duration::from_millis(100));
                tokio::spawn(relay.partitions(8).run_until(std::future::pending::<()>()))
            })
            .collect();
        for round in 0..20 {
            let messages =
                (0..20).map(|key| StagedMessage::new(message(Some(&key.to_string()), format!("{round:02}"))));
            commit(&store, messages.collect()).await.unwrap();
        }
        timeout(Duration::from_secs(30), broker.published_at_least(400)).await.expect("they get on");
        until(&store, |status| status.pending == 0).await;
        let published = broker.published();
        println!("{} published", published.len());
        for key in 0..20 {
            let of_key = published.iter().filter(|message| message.key.as_deref() == Some(&key.to_string()));
            let mut first: Vec<_> = of_key.map(|message| message.id).collect();
            let mut seen = std::collections::HashSet::new();
            first.retain(|id| seen.insert(*id));
            assert!(first.is_sorted() && first.len() == 20, "{key}");
        }
        relays.into_iter().for_each(|relay| relay.abort());
    })
    .await;
}
