//! The conformance suite of subscriptions over Redis Streams, on a server that writes each message to its disk.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use diator::subscription::{Capabilities, Release, Subscription};
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_testkit::broker::Server;
use diator_testkit::subscription::{DeadLetter, Driver, Faults};
use diator_tests::redis_server::{Fields, RedisServer};

const LOCK: Duration = Duration::from_secs(2);

/// What both kinds of streams can do.
const OF_BOTH: Capabilities =
    Capabilities::none().competing().redelivers().counts().dead_letters().settles_out_of_order().durable();

/// A server, with a topic that has so many partitions.
struct Engine {
    server: RedisServer,
    partitions: Option<u32>,
}

impl Engine {
    fn start(partitions: Option<u32>) -> Self {
        Self { server: RedisServer::start(&["appendonly yes", "appendfsync always"]), partitions }
    }

    fn config(&self) -> RedisConfig<Streams> {
        let config = RedisConfig::streams(self.server.url()).durable().lock(LOCK).deadline(Duration::from_secs(3));
        match self.partitions {
            Some(count) => config.partitions(count),
            None => config,
        }
    }

    fn connect(&self) -> Arc<dyn Subscription> {
        Arc::new(RedisSubscription::new(self.config()).unwrap())
    }

    async fn publish(&self, message: &OutboundMessage) {
        RedisBroker::new(self.config()).unwrap().publish(message).await.expect("it accepts");
    }

    fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
        let letters = self.server.cli().entries("orders.dead").into_iter();
        let letters = letters.filter(|fields| text(fields, "dead_letter_endpoint") == endpoint);
        letters
            .map(|fields| DeadLetter { body: field(&fields, "body"), reason: text(&fields, "dead_letter_reason") })
            .collect()
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
impl Faults for Engine {
    async fn kill(&self) -> bool {
        self.server.kill();
        true
    }

    async fn restart(&self) -> bool {
        self.server.kill();
        self.server.restart();
        true
    }

    async fn pause(&self) -> bool {
        self.server.pause();
        true
    }

    async fn resume(&self) -> bool {
        self.server.resume();
        true
    }

    async fn cut(&self) -> bool {
        self.server.cli().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        true
    }

    /// Another consumer claims everything, and leaves it at once.
    async fn expire(&self, endpoint: &str) -> bool {
        if self.partitions.is_some() {
            return false;
        }
        let cli = self.server.cli();
        let pending = cli.run(&["XPENDING", "orders", endpoint, "-", "+", "1000"]);
        for entry in pending.chunks(4) {
            cli.run(&["XCLAIM", "orders", endpoint, "thief", "0", &entry[0], "IDLE", "60000", "JUSTID"]);
        }
        true
    }

    /// For a while there is another member, which takes nothing.
    async fn revoke(&self, endpoint: &str) -> bool {
        let until = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + LOCK / 2;
        let key = format!("diator:slots:{endpoint}");
        // It reads what the others read.
        let members = self.server.cli().run(&["HVALS", &key]);
        let (streams, _) = members[0].split_once(':').unwrap();
        self.server.cli().run(&["HSET", &key, "99", &format!("{streams}:ghost {}", until.as_millis())]);
        true
    }

    async fn take_partitions(&self, endpoint: &str) -> bool {
        self.server.cli().run(&["DEL", &format!("diator:leases:{endpoint}")]);
        true
    }
}

macro_rules! judged {
    ($module:ident, $partitions:expr, $capabilities:expr) => {
        mod $module {
            use super::*;

            struct Judged(Engine);

            #[diator::async_trait]
            impl Driver for Judged {
                const CAPABILITIES: Capabilities = $capabilities;
                const RETAINS: bool = true;

                async fn start() -> Self {
                    Self(Engine::start($partitions))
                }

                fn connect(&self) -> Arc<dyn Subscription> {
                    self.0.connect()
                }

                async fn publish(&self, message: &OutboundMessage) {
                    self.0.publish(message).await;
                }

                async fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
                    self.0.dead_letters(endpoint)
                }

                fn faults(&self) -> &dyn Faults {
                    &self.0
                }
            }

            diator_testkit::subscription_conformance!(Judged);
        }
    };
}

judged!(shared, None, OF_BOTH.releases(Release::Uncounted).locks_for(LOCK).extends());
judged!(partitioned, Some(8), OF_BOTH.ordered_by_key().exclusive_keys().fenced_owners());
