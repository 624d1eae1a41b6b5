//! The conformance suite of subscriptions over Redis Streams, on a server that writes each message to its disk.

use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{Capabilities, Release, Subscription};
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription};
use diator_testkit::broker::Server;
use diator_testkit::subscription::{DeadLetter, Driver, Faults};
use diator_tests::redis_server::{Fields, RedisServer};

const LOCK: Duration = Duration::from_secs(2);

struct Streams(RedisServer);

#[diator::async_trait]
impl Driver for Streams {
    const CAPABILITIES: Capabilities = Capabilities::none()
        .competing()
        .redelivers()
        .counts()
        .releases(Release::Uncounted)
        .locks_for(LOCK)
        .extends()
        .dead_letters()
        .settles_out_of_order()
        .durable();
    const RETAINS: bool = true;

    async fn start() -> Self {
        Self(RedisServer::start(&["appendonly yes", "appendfsync always"]))
    }

    fn connect(&self) -> Arc<dyn Subscription> {
        let config = RedisConfig::streams(self.0.url()).durable().lock(LOCK).deadline(Duration::from_secs(3));
        Arc::new(RedisSubscription::new(config).unwrap())
    }

    async fn publish(&self, message: &OutboundMessage) {
        RedisBroker::new(RedisConfig::streams(self.0.url())).unwrap().publish(message).await.expect("it accepts");
    }

    async fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
        let letters = self.0.cli().entries("orders.dead").into_iter();
        let letters = letters.filter(|fields| text(fields, "dead_letter_endpoint") == endpoint);
        letters
            .map(|fields| DeadLetter { body: field(&fields, "body"), reason: text(&fields, "dead_letter_reason") })
            .collect()
    }

    fn faults(&self) -> &dyn Faults {
        self
    }
}

fn field(fields: &Fields, wanted: &str) -> Vec<u8> {
    let found = fields.iter().find(|(name, _)| name == wanted);
    found.unwrap_or_else(|| panic!("there is no `{wanted}`")).1.clone()
}

fn text(fields: &Fields, wanted: &str) -> String {
    String::from_utf8(field(fields, wanted)).unwrap()
}

#[diator::async_trait]
impl Faults for Streams {
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
        self.0.cli().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        true
    }

    /// Another consumer claims everything, and leaves it at once.
    async fn expire(&self, endpoint: &str) -> bool {
        let cli = self.0.cli();
        let pending = cli.run(&["XPENDING", "orders", endpoint, "-", "+", "1000"]);
        for entry in pending.chunks(4) {
            cli.run(&["XCLAIM", "orders", endpoint, "thief", "0", &entry[0], "IDLE", "60000", "JUSTID"]);
        }
        true
    }
}

diator_testkit::subscription_conformance!(Streams);
