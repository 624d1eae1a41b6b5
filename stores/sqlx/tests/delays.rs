//! Events for later: not before their time, at once after it, and in the order of their times.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

mod support;

use std::time::{Duration, Instant};

use diator::InMemoryBroker;
use diator::outbox::{OutboxStore, StagedMessage};
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::{PgPool, Sqlite, SqlitePool};
use support::Directory;
use support::outbox::{bodies, commit, message, publish};

const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);

fn later(body: &str, delay: Duration) -> StagedMessage {
    StagedMessage::new(message(Some("a"), body)).after(delay)
}

/// `connect` gives the store as another process would have it.
async fn delays<DB: Engine>(connect: impl Fn() -> SqlxStore<DB>)
where
    Transaction<DB>: StagesRows,
    SqlxStore<DB>: OutboxStore,
{
    let millis = Duration::from_millis;
    let committed = Instant::now();
    // One unit of work, not in the order of their times.
    let messages = vec![
        later("third", millis(1_600)),
        later("in a year", YEAR),
        later("first", millis(1_500)),
        later("for ever", Duration::MAX),
        later("second", millis(1_550)),
        StagedMessage::new(message(Some("a"), "at once")),
    ];
    commit(&connect(), messages).await.unwrap();
    let status = connect().status().await.unwrap();
    assert_eq!((status.pending, status.scheduled), (1, 5));

    let broker = InMemoryBroker::new();
    publish(connect(), &broker, 1).await;
    // The process has ended, and another one is there before the time.
    publish(connect(), &broker, 2).await;
    assert!(committed.elapsed() >= millis(1_500), "{:?}", committed.elapsed());
    publish(connect(), &broker, 4).await;
    assert!(committed.elapsed() < millis(2_500), "{:?}", committed.elapsed());
    assert_eq!(bodies(&broker.published()), ["at once", "first", "second", "third"]);
    let status = connect().status().await.unwrap();
    assert_eq!((status.pending, status.scheduled, status.oldest_seconds), (0, 2, None));

    // All are due when a relay looks for the first time: their times count, not when they were written.
    commit(&connect(), vec![later("later", millis(60)), later("sooner", millis(10)), later("now", Duration::ZERO)])
        .await
        .unwrap();
    tokio::time::sleep(millis(300)).await;
    publish(connect(), &broker, 7).await;
    assert_eq!(bodies(&broker.published())[4..], ["now", "sooner", "later"]);
}

#[tokio::test]
async fn events_wait_for_their_time_on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let connect = || SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        connect().apply_schema().await.unwrap();
        delays(connect).await;
        let due = postgres.psql("SELECT body, due > now() + interval '365 days' FROM diator_schedule ORDER BY due");
        assert_eq!(due.lines().filter(|line| line.ends_with("|t")).count(), 2, "{due}");
    })
    .await;
}

#[tokio::test]
async fn events_wait_for_their_time_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let connect = || {
            let options = sqlite_options().filename(directory.0.join("a.sqlite"));
            SqlxStore::<Sqlite>::new(SqlitePool::connect_lazy_with(options))
        };
        connect().apply_schema().await.unwrap();
        delays(connect).await;
    })
    .await;
}

#[tokio::test]
async fn more_are_due_than_one_look_takes() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        let messages = (0..2_500_u32).map(|number| later(&number.to_string(), Duration::from_micros(number.into())));
        commit(&store, messages.collect()).await.unwrap();
        let broker = InMemoryBroker::new();
        publish(store, &broker, 2_500).await;
        let expected: Vec<_> = (0..2_500).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&broker.published()), expected);
    })
    .await;
}
