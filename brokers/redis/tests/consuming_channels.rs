//! The conformance suite of subscriptions over Redis Pub/Sub, and what it does beyond the contract.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use diator::broker::MessageType;
use diator::subscription::{Capabilities, Opened, Share, Subscription, Taken, Wanted};
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{PubSub, RedisBroker, RedisConfig, RedisSubscription};
use diator_testkit::broker::Server;
use diator_testkit::subscription::{Driver, Faults};
use diator_testkit::within_patience;
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;
use tracing::Level;
use uuid::Uuid;

struct Channels(RedisServer);

impl Channels {
    fn config(&self) -> RedisConfig<PubSub> {
        // The login is that of a user with a password.
        let address = SocketAddr::from(([127, 0, 0, 1], self.0.port()));
        RedisConfig::pub_sub(self.0.url_through(address)).deadline(Duration::from_secs(3))
    }
}

#[diator::async_trait]
impl Driver for Channels {
    const CAPABILITIES: Capabilities = Capabilities::none().broadcasts().settles_out_of_order();
    const CARRIES_HEADERS: bool = false;

    async fn start() -> Self {
        Self(RedisServer::start(&[]))
    }

    fn connect(&self) -> Arc<dyn Subscription> {
        Arc::new(RedisSubscription::new(self.config()).unwrap())
    }

    async fn publish(&self, message: &OutboundMessage) {
        RedisBroker::new(self.config()).unwrap().publish(message).await.expect("it accepts");
    }

    fn faults(&self) -> &dyn Faults {
        self
    }
}

#[diator::async_trait]
impl Faults for Channels {
    async fn kill(&self) -> bool {
        self.0.kill();
        true
    }

    async fn restart(&self) -> bool {
        self.0.kill();
        self.0.restart();
        true
    }

    async fn pause(&self) -> bool {
        self.0.pause();
        true
    }

    async fn resume(&self) -> bool {
        self.0.resume();
        true
    }

    async fn cut(&self) -> bool {
        self.0.cli().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        true
    }
}

diator_testkit::subscription_conformance!(Channels);

fn message(number: u128) -> OutboundMessage {
    OutboundMessage::new(Uuid::from_u128(number), MessageType::Ecst, "OrderPlaced", *b"{}")
}

async fn open(subscription: &RedisSubscription, topics: &[String]) -> Opened {
    let wanted = Wanted::new("prices", topics).with_share(Share::Broadcast).with_default_topic();
    subscription.open(&wanted).await.unwrap()
}

#[tokio::test]
async fn what_finds_no_room_is_counted_and_told_once() {
    let driver = Channels::start().await;
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let subscription = RedisSubscription::new(driver.config().buffer(3)).unwrap();
    let mut opened = open(&subscription, &[]).await;
    for number in 0..10 {
        driver.publish(&message(number)).await;
    }
    within_patience(async {
        while subscription.overflowed() < 7 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(log.beginning("WARN messages of channels find no room").len(), 1, "{:?}", log.lines());
    let Taken::Deliveries(kept) = opened.source.next(10).await.unwrap() else { panic!("there are three") };
    let positions: Vec<_> = kept.iter().map(|delivery| delivery.position.as_deref().unwrap()).collect();
    assert_eq!(positions, [0, 1, 2].map(|number| Uuid::from_u128(number).to_string()));
    assert_eq!(&*kept[0].topic, "", "the event named no topic");
}

#[tokio::test]
async fn a_topic_that_begins_like_another_one_is_told_apart() {
    let driver = Channels::start().await;
    let subscription = RedisSubscription::new(driver.config()).unwrap();
    let mut opened = open(&subscription, &["a".to_owned()]).await;
    driver.publish(&message(1).with_topic("a:b")).await;
    driver.publish(&message(2).with_topic("a")).await;
    let Taken::Deliveries(came) = opened.source.next(10).await.unwrap() else { panic!("there is one") };
    assert_eq!((came.len(), &*came[0].topic), (1, "a"));
}
