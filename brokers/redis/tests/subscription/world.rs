//! What these tests have in common: a subscription that is opened, and what is done with its deliveries.

use std::ops::Range;
use std::time::Duration;

use diator::broker::MessageType;
use diator::subscription::{Delivery, Opened, Settlement, Subscription, Taken, Verdict, Wanted};
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;
use uuid::Uuid;

pub(crate) const LOCK: Duration = Duration::from_secs(2);

pub(crate) fn config(server: &RedisServer) -> RedisConfig<Streams> {
    RedisConfig::streams(server.url()).lock(LOCK)
}

pub(crate) async fn open(config: RedisConfig<Streams>, endpoint: &str) -> Opened {
    let topics = ["orders".to_owned()];
    RedisSubscription::new(config).unwrap().open(&Wanted::new(endpoint, &topics)).await.unwrap()
}

pub(crate) async fn publish(config: RedisConfig<Streams>, numbers: Range<u128>) {
    let broker = RedisBroker::new(config).unwrap();
    for number in numbers {
        let message = OutboundMessage::new(Uuid::from_u128(number), MessageType::Notification, "OrderPlaced", *b"{}");
        broker.publish(&message.with_topic("orders").with_key(number.to_string())).await.unwrap();
    }
}

pub(crate) async fn take(opened: &mut Opened, count: usize) -> Vec<Delivery> {
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

pub(crate) async fn settle(opened: &Opened, deliveries: &[Delivery], verdict: Verdict) {
    let batch: Vec<_> = deliveries.iter().map(|delivery| Settlement::new(delivery.tag, verdict.clone())).collect();
    for answer in opened.settle.settle(&batch).await {
        answer.unwrap();
    }
}

pub(crate) async fn close(opened: Opened) {
    drop(opened.source);
    opened.settle.close().await;
}

/// Waits until something holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    within_patience(async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The values of an answer that follow a name.
pub(crate) fn values_of(answer: &[String], name: &str) -> Vec<String> {
    let followed = answer.windows(2).filter(|pair| pair[0] == name);
    followed.map(|pair| pair[1].clone()).collect()
}
