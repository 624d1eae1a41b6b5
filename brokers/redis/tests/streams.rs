//! The conformance suite over Redis Streams, on a server that writes each message to its disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use diator::MessageBroker;
use diator::broker::Guarantees;
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Driver, Failover, Listener, Login, Server, Storage};
use diator_tests::redis_server::RedisServer;

/// The server can be made to take no more than half of it, which is the least that one can.
const MAX_BODY: usize = 2 * 1024 * 1024;

struct Streams(RedisServer);

impl Streams {
    fn broker(&self, url: &str) -> Arc<dyn MessageBroker> {
        let config = RedisConfig::streams(url).durable().max_body(MAX_BODY);
        Arc::new(RedisBroker::new(config.deadline(Duration::from_secs(3))).unwrap())
    }
}

#[diator::async_trait]
impl Driver for Streams {
    const GUARANTEES: Guarantees = Guarantees::none().ordered().confirmed().retained().durable().max_body(MAX_BODY);

    async fn start() -> Self {
        Self(RedisServer::start(&["appendonly yes", "appendfsync always"]))
    }

    fn connect(&self, login: Login) -> Arc<dyn MessageBroker> {
        self.broker(&self.0.url_for(login))
    }

    async fn listen(&self) -> Box<dyn Listener> {
        Box::new(self.0.cli().read("diator:events"))
    }

    fn server(&self) -> &dyn Server {
        &self.0
    }

    fn connect_through(&self, proxy: SocketAddr) -> Arc<dyn MessageBroker> {
        self.broker(&self.0.url_through(proxy))
    }
}

impl Failover for Streams {
    fn demote(&self, successor: &Self) {
        self.0.demote(&successor.0);
    }
}

impl Storage for Streams {
    fn stop_storing(&self) {
        self.0.cli().run(&["CONFIG", "SET", "appendonly", "no"]);
    }
}

diator_testkit::broker_conformance!(Streams);
diator_testkit::broker_faults!(Streams);
diator_testkit::broker_failover!(Streams);
diator_testkit::broker_storage!(Streams);
