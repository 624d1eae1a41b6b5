//! Partitions: their number, and who has which.

use std::collections::BTreeMap;
use std::time::Duration;

use diator::broker::MessageType;
use diator::subscription::{ConsumeErrorKind, Opened, Subscription, Taken, Wanted};
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{RedisBroker, RedisSubscription};
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::Level;
use uuid::Uuid;

use super::world::{LOCK, close, config, open, publish, take, until};

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let server = RedisServer::start(&[]);
    publish(config(&server).partitions(4), 0..1).await;
    let topics = ["orders".to_owned()];
    let other = RedisSubscription::new(config(&server).partitions(8)).unwrap();
    let error = other.open(&Wanted::new("billing", &topics)).await.map(drop).expect_err("it has four");
    assert_eq!(error.kind(), ConsumeErrorKind::Fatal);
    assert!(error.to_string().contains("has 4 partitions at redis, and the configuration says 8"), "{error}");
    let broker = RedisBroker::new(config(&server).partitions(8)).unwrap();
    let message = OutboundMessage::new(Uuid::from_u128(1), MessageType::Notification, "OrderPlaced", *b"{}");
    let messages = [message.clone().with_topic("orders"), message.with_topic("payments")];
    let answers = broker.publish_batch(&messages).await;
    assert!(answers[0].is_err() && answers[1].is_ok(), "{answers:?}");
    let mut opened = open(config(&server).partitions(4), "billing").await;
    take(&mut opened, 1).await;
}

#[tokio::test]
async fn partitions_and_none_are_told_apart() {
    let server = RedisServer::start(&[]);
    publish(config(&server).partitions(4), 0..1).await;
    let topics = ["orders".to_owned()];
    let other = RedisSubscription::new(config(&server)).unwrap();
    let error = other.open(&Wanted::new("billing", &topics)).await.map(drop).expect_err("the topic has four");
    assert_eq!(error.kind(), ConsumeErrorKind::Fatal);
    assert!(error.to_string().contains("has 4 partitions at redis, and the configuration says none"), "{error}");
    let broker = RedisBroker::new(config(&server)).unwrap();
    let message = OutboundMessage::new(Uuid::from_u128(1), MessageType::Notification, "OrderPlaced", *b"{}");
    let messages = [message.clone().with_topic("orders"), message.with_topic("payments")];
    let answers = broker.publish_batch(&messages).await;
    assert!(answers[0].is_err() && answers[1].is_ok(), "{answers:?}");
    assert_eq!(server.cli().run(&["EXISTS", "orders"]), ["0"]);
}

/// How many partitions each process has.
fn shares(server: &RedisServer) -> Vec<usize> {
    let mut shares = BTreeMap::<_, usize>::new();
    for owner in server.cli().run(&["HVALS", "diator:leases:billing"]) {
        *shares.entry(owner).or_default() += 1;
    }
    shares.into_values().collect()
}

/// A process that gives up what it is asked for, and handles nothing.
fn idle(mut opened: Opened) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            match opened.source.next(1).await.unwrap() {
                Taken::Revoking { owners, .. } => opened.settle.revoked(&owners),
                other => drop(other),
            }
        }
    })
}

#[tokio::test]
async fn a_process_takes_its_share_of_the_partitions_and_no_more() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).partitions(4);
    let first = idle(open(config(), "billing").await);
    until(|| shares(&server) == [4]).await;
    let second = idle(open(config(), "billing").await);
    until(|| shares(&server) == [2, 2]).await;
    sleep(LOCK).await;
    assert_eq!(shares(&server), [2, 2]);
    let third = idle(open(config(), "billing").await);
    until(|| shares(&server).len() == 3).await;
    first.abort();
    until(|| shares(&server) == [2, 2]).await;
    second.abort();
    third.abort();
}

#[tokio::test]
async fn who_waits_for_partitions_says_so_once_and_when_they_come() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).partitions(2);
    let log = Log::new(Level::INFO);
    let _guard = tracing::subscriber::set_default(log.clone());
    let gone = open(config(), "billing").await;
    until(|| shares(&server) == [2]).await;
    assert_eq!(log.beginning("INFO other processes have partitions of this one's share").len(), 0, "{:?}", log.lines());
    // As a kill leaves them: its leases are there, and nobody gives them up.
    drop(gone);
    let second = idle(open(config(), "billing").await);
    until(|| !log.beginning("INFO other processes have partitions of this one's share").is_empty()).await;
    until(|| !log.beginning("INFO this process has its share of the partitions").is_empty()).await;
    let told = [
        "INFO other processes have partitions of this one's share",
        "INFO this process has its share of the partitions",
    ];
    assert_eq!(told.map(|text| log.beginning(text).len()), [1, 1], "{:?}", log.lines());
    second.abort();
}

/// As while a deployment adds a topic.
#[tokio::test]
async fn no_partition_waits_for_a_process_that_does_not_read_its_topic() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).partitions(8);
    let both = ["orders".to_owned(), "payments".to_owned()];
    let both = RedisSubscription::new(config()).unwrap().open(&Wanted::new("billing", &both)).await.unwrap();
    let both = idle(both);
    until(|| shares(&server) == [16]).await;
    let orders = idle(open(config(), "billing").await);
    sleep(LOCK * 2).await;
    assert_eq!(shares(&server).iter().sum::<usize>(), 16);
    orders.abort();
    both.abort();
}

#[tokio::test]
async fn leases_that_were_flushed_are_taken_anew_at_once() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).lock(Duration::from_secs(3600)).partitions(2);
    let mut opened = open(config(), "billing").await;
    publish(config(), 0..4).await;
    take(&mut opened, 4).await;
    server.cli().run(&["FLUSHALL"]);
    publish(config(), 4..8).await;
    take(&mut opened, 4).await;
    close(opened).await;
}
