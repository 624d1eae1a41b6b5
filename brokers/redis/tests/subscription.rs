//! What a subscription to Redis Streams does beyond the contract: names, groups, trimming, dead letters, failover, partitions.

use std::time::Duration;

use diator::broker::MessageType;
use diator::subscription::{ConsumeErrorKind, Delivery, Opened, Settlement, Subscription, Taken, Verdict, Wanted};
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_testkit::broker::Server;
use diator_testkit::{Proxy, within_patience};
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use tokio::time::{sleep, timeout};
use tracing::Level;
use uuid::Uuid;

const LOCK: Duration = Duration::from_secs(2);

fn config(server: &RedisServer) -> RedisConfig<Streams> {
    RedisConfig::streams(server.url()).lock(LOCK)
}

async fn open(config: RedisConfig<Streams>, endpoint: &str) -> Opened {
    let topics = ["orders".to_owned()];
    RedisSubscription::new(config).unwrap().open(&Wanted::new(endpoint, &topics)).await.unwrap()
}

async fn publish(config: RedisConfig<Streams>, numbers: std::ops::Range<u128>) {
    let broker = RedisBroker::new(config).unwrap();
    for number in numbers {
        let message = OutboundMessage::new(Uuid::from_u128(number), MessageType::Notification, "OrderPlaced", *b"{}");
        broker.publish(&message.with_topic("orders").with_key(number.to_string())).await.unwrap();
    }
}

async fn take(opened: &mut Opened, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    within_patience(async {
        while taken.len() < count {
            if let Taken::Deliveries(more) = opened.source.next(count - taken.len()).await.unwrap() {
                taken.extend(more);
            }
        }
    })
    .await;
    taken
}

async fn settle(opened: &Opened, deliveries: &[Delivery], verdict: Verdict) {
    let batch: Vec<_> = deliveries.iter().map(|delivery| Settlement::new(delivery.tag, verdict.clone())).collect();
    for answer in opened.settle.settle(&batch).await {
        answer.unwrap();
    }
}

async fn close(opened: Opened) {
    drop(opened.source);
    opened.settle.close().await;
}

/// Waits until something holds.
async fn until(holds: impl Fn() -> bool) {
    within_patience(async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The values of an answer that follow a name.
fn values_of(answer: &[String], name: &str) -> Vec<String> {
    let followed = answer.windows(2).filter(|pair| pair[0] == name);
    followed.map(|pair| pair[1].clone()).collect()
}

#[tokio::test]
async fn names_are_unique_and_stay_across_a_restart() {
    let server = RedisServer::start(&[]);
    publish(config(&server), 0..4).await;
    let (mut first, mut second) = (open(config(&server), "billing").await, open(config(&server), "billing").await);
    let names = || values_of(&server.cli().run(&["XINFO", "CONSUMERS", "orders", "billing"]), "name");
    take(&mut first, 1).await;
    take(&mut second, 1).await;
    assert_eq!(names(), ["0", "1"]);
    close(first).await;
    let mut first = open(config(&server), "billing").await;
    assert_eq!(take(&mut first, 2).await.len(), 2);
    assert_eq!(names(), ["0", "1"], "it has the name that it had");
    close(second).await;
    close(first).await;
    assert_eq!(server.cli().run(&["HLEN", "diator:slots:billing"]), ["0"]);
}

#[tokio::test]
async fn what_an_answer_gave_out_that_was_lost_comes_first() {
    for (partitions, stream) in [(None, "orders"), (Some(1), "orders.0")] {
        let server = RedisServer::start(&[]);
        let config = config(&server).lock(Duration::from_secs(600));
        let config = partitions.map_or(config.clone(), |count| config.partitions(count));
        let mut opened = open(config.clone(), "billing").await;
        publish(config.clone(), 0..1).await;
        let first = take(&mut opened, 1).await;
        publish(config.clone(), 1..2).await;
        // As if the connection had ended before the answer was read.
        server.cli().run(&["XREADGROUP", "GROUP", "billing", "0", "STREAMS", stream, ">"]);
        server.cli().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let second = take(&mut opened, 1).await;
        assert_ne!(second[0].position, first[0].position, "what is in hand does not come again");
        assert!(second[0].redelivered.perhaps());
    }
}

#[tokio::test]
async fn a_closed_opening_leaves_nothing_locked() {
    let server = RedisServer::start(&[]);
    let lock = Duration::from_secs(600);
    let mut opened = open(config(&server).lock(lock), "billing").await;
    publish(config(&server), 0..2).await;
    take(&mut opened, 2).await;
    close(opened).await;
    let pending = server.cli().run(&["XPENDING", "orders", "billing", "-", "+", "10"]);
    let idle: Vec<u128> = pending.chunks(4).map(|entry| entry[2].parse().unwrap()).collect();
    assert!(idle.len() == 2 && idle.iter().all(|idle| *idle >= lock.as_millis()), "{pending:?}");
}

#[tokio::test]
async fn a_group_that_went_away_is_made_anew_and_told() {
    for command in [&["FLUSHALL"][..], &["XGROUP", "DESTROY", "orders", "billing"], &["DEL", "orders"]] {
        let server = RedisServer::start(&[]);
        let log = Log::new(Level::WARN);
        let _guard = tracing::subscriber::set_default(log.clone());
        let mut opened = open(config(&server), "billing").await;
        assert!(timeout(Duration::from_millis(200), opened.source.next(1)).await.is_err(), "it waits at the server");
        server.cli().run(command);
        publish(config(&server), 0..1).await;
        let came = take(&mut opened, 1).await;
        settle(&opened, &came, Verdict::Ack).await;
        assert_eq!(log.beginning("WARN the consumer group was gone").len(), 1, "{:?}", log.lines());
    }
}

#[tokio::test]
async fn entries_that_were_dropped_unread_are_told_once() {
    let server = RedisServer::start(&[]);
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 0..3).await;
    let came = take(&mut opened, 3).await;
    settle(&opened, &came, Verdict::Ack).await;
    close(opened).await;
    publish(config(&server), 3..10).await;
    server.cli().run(&["XTRIM", "orders", "MAXLEN", "2"]);
    let told = || log.beginning("WARN the stream dropped entries that the endpoint had not read");
    let mut opened = open(config(&server), "billing").await;
    let came = take(&mut opened, 2).await;
    assert!(told().len() == 1 && told()[0].contains("missed=5"), "{:?}", log.lines());
    settle(&opened, &came, Verdict::Ack).await;
    close(opened).await;
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 10..11).await;
    take(&mut opened, 1).await;
    assert_eq!(told().len(), 1, "{:?}", log.lines());
}

/// A replica copies the group's count once, and then learns what was read without it.
#[tokio::test]
async fn a_failover_makes_no_entries_that_were_dropped_unread() {
    let (first, second) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let proxy = Proxy::start(first.address());
    let through = || RedisConfig::streams(format!("redis://{}", proxy.address())).lock(Duration::from_secs(1));
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut opened = open(through(), "billing").await;
    publish(config(&first), 0..3).await;
    let came = take(&mut opened, 3).await;
    settle(&opened, &came, Verdict::Ack).await;
    second.demote(&first);
    until(|| second.cli().run(&["XLEN", "orders"]) == ["3"]).await;
    publish(config(&first), 3..10).await;
    take(&mut opened, 7).await;
    until(|| second.cli().run(&["XPENDING", "orders", "billing"])[0] == "7").await;
    second.cli().run(&["REPLICAOF", "NO", "ONE"]);
    proxy.redirect(second.address());
    proxy.cut();
    let counted = || second.cli().run(&["HGET", "diator:counted:billing", "orders"]);
    let by_first = counted();
    tokio::select! {
        () = until(|| counted() != by_first) => {}
        came = opened.source.next(1) => panic!("{:?}", came.map(|_| "nothing was published")),
    }
    assert_eq!(log.beginning("WARN the stream dropped entries that the endpoint had not read"), [""; 0]);
}

#[tokio::test]
async fn an_entry_that_was_dropped_in_hand_can_be_a_dead_letter_and_is_never_given_back() {
    let server = RedisServer::start(&[]);
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 0..2).await;
    let came = take(&mut opened, 2).await;
    server.cli().run(&["XTRIM", "orders", "MAXLEN", "0"]);
    settle(&opened, &came[..1], Verdict::dead_letter("no order")).await;
    let letter = &server.cli().entries("orders.dead")[0];
    assert_eq!(letter.last(), Some(&("body".to_owned(), b"{}".to_vec())));
    let released = opened.settle.settle(&[Settlement::new(came[1].tag, Verdict::Release)]).await;
    assert!(matches!(&released[..], [Err(error)] if error.kind() == ConsumeErrorKind::Fatal), "{released:?}");
    settle(&opened, &came[1..], Verdict::Ack).await;
}

#[tokio::test]
async fn a_dead_letter_has_what_was_published_and_why_it_is_dead() {
    let server = RedisServer::start(&[]);
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 0..1).await;
    let came = take(&mut opened, 1).await;
    settle(&opened, &came, Verdict::dead_letter("no order")).await;
    let letter = &server.cli().entries("orders.dead")[0];
    let letter: Vec<_> = letter.iter().map(|(name, value)| (&**name, String::from_utf8_lossy(value))).collect();
    let position = came[0].position.as_deref().unwrap();
    for field in [
        ("dead_letter_endpoint", "billing"),
        ("dead_letter_reason", "no order"),
        ("dead_letter_failures", "0"),
        ("dead_letter_position", position),
        ("name", "OrderPlaced"),
        ("key", "0"),
        ("body", "{}"),
    ] {
        assert!(letter.contains(&(field.0, field.1.into())), "{field:?} in {letter:?}");
    }
    assert_eq!(server.cli().run(&["XPENDING", "orders", "billing"])[0], "0");
}

#[tokio::test]
async fn what_all_groups_have_acknowledged_is_trimmed() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).trimmed_by_consumers();
    let (mut billing, mut shipping) = (open(config(), "billing").await, open(config(), "shipping").await);
    publish(config(), 0..10).await;
    let length = || server.cli().run(&["XLEN", "orders"])[0].parse::<usize>().unwrap();
    let all = take(&mut billing, 10).await;
    settle(&billing, &all, Verdict::Ack).await;
    let some = take(&mut shipping, 10).await;
    settle(&shipping, &some[..4], Verdict::Ack).await;
    // The reader trims when it looks for what others have left, which needs room.
    let reading = tokio::spawn(async move { billing.source.next(1).await.map(drop) });
    until(|| length() == 6).await;
    settle(&shipping, &some[4..], Verdict::Ack).await;
    until(|| length() == 0).await;
    reading.abort();
}

#[tokio::test]
async fn a_demoted_server_is_told_once_and_its_successor_goes_on() {
    let (server, successor) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut opened = open(config(&server).lock(Duration::from_secs(60)), "billing").await;
    assert!(timeout(Duration::from_millis(200), opened.source.next(1)).await.is_err(), "nothing is there");
    server.demote(&successor);
    let waiting = timeout(Duration::from_secs(3), opened.source.next(1)).await;
    assert!(waiting.is_err(), "it waits for the server to be a primary again, {waiting:?}");
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    server.cli().run(&["REPLICAOF", "NO", "ONE"]);
    publish(config(&server), 0..1).await;
    take(&mut opened, 1).await;
}

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
async fn a_process_takes_its_share_of_the_partitions_and_no_more() {
    let server = RedisServer::start(&[]);
    // A member that takes nothing, and whose lease ends in the year 2286.
    server.cli().run(&["HSET", "diator:slots:billing", "7", "ghost 9999999999999"]);
    let mut opened = open(config(&server).partitions(8), "billing").await;
    let leased = || server.cli().run(&["HLEN", "diator:leases:billing"])[0].parse::<usize>().unwrap();
    until(|| leased() > 0).await;
    let news = timeout(LOCK, opened.source.next(0)).await;
    assert!(leased() == 4 && news.is_err(), "{} are leased, {news:?}", leased());
    server.cli().run(&["HDEL", "diator:slots:billing", "7"]);
    until(|| leased() == 8).await;
}
