//! A process that could not renew its name in time, and then can.

use std::time::Duration;

use diator::MessageBroker;
use diator::subscription::{ConsumeErrorKind, Settled, Settlement, Subscription, Taken, Verdict, Wanted};
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription};
use diator_testkit::broker::{Server, message};
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;

/// The endpoint does not have the delivery any more; were the opening to go on, nobody would.
#[tokio::test]
async fn an_opening_that_has_told_of_a_lost_delivery_is_over() {
    let server = RedisServer::start(&[]);
    let lock = Duration::from_secs(1);
    let config = RedisConfig::streams(server.url()).partitions(1).lock(lock);
    let topics = ["orders".to_owned()];
    let subscription = RedisSubscription::new(config.clone()).unwrap();
    let mut opened = subscription.open(&Wanted::new("billing", &topics)).await.unwrap();
    RedisBroker::new(config).unwrap().publish(&message(0).with_topic("orders")).await.unwrap();
    let Taken::Deliveries(came) = within_patience(opened.source.next(1)).await.unwrap() else { panic!("one comes") };

    server.pause();
    sleep(lock + lock / 2).await;
    let ack = [Settlement::new(came[0].tag, Verdict::Ack)];
    assert!(matches!(opened.settle.settle(&ack).await[..], [Ok(Settled::LockLost)]));
    server.resume();

    // The server has the name renewed by then.
    let over = within_patience(opened.source.next(1)).await.expect_err("it is over");
    assert_eq!(over.kind(), ConsumeErrorKind::Closed);
    drop(opened);
    let mut opened = subscription.open(&Wanted::new("billing", &topics)).await.unwrap();
    let again = within_patience(opened.source.next(1)).await.unwrap();
    assert!(matches!(again, Taken::Deliveries(again) if again[0].position == came[0].position));
}
