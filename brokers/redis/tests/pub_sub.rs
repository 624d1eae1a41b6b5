//! The conformance suite over Redis Pub/Sub.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use diator::MessageBroker;
use diator::broker::Guarantees;
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Driver, Failover, Listener, Login, Server};
use diator_tests::redis_server::RedisServer;

/// The server can be made to take no more than half of it, which is the least that one can.
const MAX_BODY: usize = 2 * 1024 * 1024;

struct PubSub(RedisServer);

impl PubSub {
    fn broker(&self, url: &str) -> Arc<dyn MessageBroker> {
        let config = RedisConfig::pub_sub(url).max_body(MAX_BODY);
        Arc::new(RedisBroker::new(config.deadline(Duration::from_secs(3))).unwrap())
    }
}

#[diator::async_trait]
impl Driver for PubSub {
    const GUARANTEES: Guarantees = Guarantees::none().ordered().max_body(MAX_BODY);

    async fn start() -> Self {
        Self(RedisServer::start(&[]))
    }

    fn connect(&self, login: Login) -> Arc<dyn MessageBroker> {
        self.broker(&self.0.url_for(login))
    }

    async fn listen(&self) -> Box<dyn Listener> {
        Box::new(self.0.cli().subscribe("python_diator_channel:*"))
    }

    fn server(&self) -> &dyn Server {
        &self.0
    }

    fn connect_through(&self, proxy: SocketAddr) -> Arc<dyn MessageBroker> {
        self.broker(&self.0.url_through(proxy))
    }
}

impl Failover for PubSub {
    fn demote(&self, successor: &Self) {
        self.0.demote(&successor.0);
    }
}

diator_testkit::broker_conformance!(PubSub);
diator_testkit::broker_faults!(PubSub);
diator_testkit::broker_failover!(PubSub);
