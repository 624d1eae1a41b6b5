//! Messages as nobody expects them: large, many, empty, with characters that a database may not like.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

mod support;

use diator::InMemoryBroker;
use diator::broker::{Headers, OutboundMessage, PublishError};
use diator::outbox::{DeadLetterFilter, DeadLetters, OutboxStore, StagedMessage};
use diator::relay::Relay;
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::{PgPool, Sqlite, SqlitePool};
use support::Directory;
use support::outbox::{commit, commit_one, message, publish};

const ODD: &str = "'\"\\;--\t\n\r$1 ?1 {p} {keys} %s \u{1F980} \u{301}\u{feff}\u{202e} ß";

fn odd() -> Vec<OutboundMessage> {
    let mut all = message(Some(ODD), ODD).with_topic(ODD);
    all.headers = Headers::new().with("trace", ODD).with(ODD, "x").with("empty", "");
    all.name = ODD.into();
    all.content_type = ODD.into();
    let body = |body: Vec<u8>| OutboundMessage::new(uuid::Uuid::now_v7(), all.message_type, "Odd", body);
    vec![
        body(Vec::new()),
        body(vec![0, 255, 254, 0xc3, 0x28, 0]),
        body(vec![b'x'; 3 << 20]),
        message(Some(""), "an empty key"),
        message(Some(&"k".repeat(10_240)), "a key of 10 kB").with_topic("t".repeat(10_240)),
        all,
    ]
}

async fn odd_messages<DB: Engine>(store: SqlxStore<DB>)
where
    Transaction<DB>: StagesRows,
    SqlxStore<DB>: OutboxStore + DeadLetters,
{
    let broker = InMemoryBroker::new();
    let sort = |mut messages: Vec<OutboundMessage>| {
        messages.sort_by_key(|message| message.id);
        messages
    };
    let messages = odd();
    commit(&store, messages.iter().cloned().map(StagedMessage::new).collect()).await.unwrap();
    publish(store.clone(), &broker, messages.len()).await;
    assert!(sort(broker.take_published()) == sort(messages), "something has changed on its way");

    // A thousand in one unit of work, and a few more than one statement takes.
    let many: Vec<_> = (0..2_345).map(|number| StagedMessage::new(message(Some("a"), number))).collect();
    commit(&store, many.clone()).await.unwrap();
    publish(store.clone(), &broker, many.len()).await;
    let expected: Vec<_> = many.into_iter().map(|staged| staged.message).collect();
    assert!(broker.take_published() == expected, "the order is another one");

    // All of them are refused, and come back.
    let messages = odd();
    commit(&store, messages.iter().cloned().map(StagedMessage::new).collect()).await.unwrap();
    broker.refuse_if(|_| Some(PublishError::fatal("no\0: 'too' \"odd\" \u{1F980}")));
    let relay = Relay::new(store.clone()).broker(broker.clone()).attempts(1);
    let all_dead = async {
        while store.status().await.unwrap().dead < messages.len() as u64 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    relay.run_until(all_dead).await.unwrap();
    let mut of_odd_topic = DeadLetterFilter::default();
    (of_odd_topic.topic, of_odd_topic.name) = (Some(ODD.to_owned()), Some(ODD.to_owned()));
    of_odd_topic.reason = Some("'too' \"odd\" \u{1F980}".to_owned());
    assert_eq!(store.list(&of_odd_topic).await.unwrap().len(), 1);
    // A key that is parked is known by its odd text.
    commit_one(&store, message(Some(ODD), "behind").with_topic(ODD)).await;
    assert_eq!(store.status().await.unwrap().parked, 1);
    broker.accept();
    assert_eq!(DeadLetters::replay(&store, &DeadLetterFilter::default()).await.unwrap(), messages.len() as u64);
    publish(store.clone(), &broker, messages.len() + 1).await;
    let mut published = broker.take_published();
    published.retain(|message| *message.body != b"behind"[..]);
    assert!(sort(published) == sort(messages), "something has changed on its way");
}

#[tokio::test]
async fn odd_messages_travel_unchanged_on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        odd_messages(store).await;
    })
    .await;
}

#[tokio::test]
async fn odd_messages_travel_unchanged_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let options = sqlite_options().filename(directory.0.join("a.sqlite"));
        let store = SqlxStore::<Sqlite>::new(SqlitePool::connect_lazy_with(options));
        store.apply_schema().await.unwrap();
        odd_messages(store).await;
    })
    .await;
}

#[tokio::test]
async fn postgresql_refuses_a_text_with_a_nul_and_says_so() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        let error = commit(&store, vec![StagedMessage::new(message(Some("a\0b"), 1))]).await.unwrap_err();
        println!("{error}");
        assert!(error.to_string().contains("0x00"), "{error}");
        // Headers are kept as JSON, which has a way to write it.
        let with_header = message(Some("a"), 1).with_header("a", "b\0c");
        commit_one(&store, with_header.clone()).await;
        let broker = InMemoryBroker::new();
        publish(store, &broker, 1).await;
        assert_eq!(broker.published(), [with_header]);
    })
    .await;
}

#[tokio::test]
async fn sqlite_takes_a_text_with_a_nul() {
    within_patience(async {
        let directory = Directory::new();
        let options = sqlite_options().filename(directory.0.join("a.sqlite"));
        let store = SqlxStore::<Sqlite>::new(SqlitePool::connect_lazy_with(options));
        store.apply_schema().await.unwrap();
        let broker = InMemoryBroker::new();
        let keys = ["a\0b", "a\0c", "a"];
        commit(&store, keys.map(|key| StagedMessage::new(message(Some(key), key))).into()).await.unwrap();
        publish(store, &broker, 3).await;
        let mut published: Vec<_> = broker.published().into_iter().filter_map(|message| message.key).collect();
        published.sort();
        assert_eq!(published, ["a", "a\0b", "a\0c"]);
    })
    .await;
}
