//! The conformance suite over Redis Streams, on a server that writes each message to its disk.

use std::sync::Arc;
use std::time::Duration;

use diator::MessageBroker;
use diator::broker::Guarantees;
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Driver, Listener, Login, Server};
use diator_tests::redis_server::RedisServer;

const MAX_BODY: usize = 1024 * 1024;

struct Streams(RedisServer);

#[diator::async_trait]
impl Driver for Streams {
    const GUARANTEES: Guarantees = Guarantees::none().ordered().confirmed().retained().durable().max_body(MAX_BODY);

    async fn start() -> Self {
        Self(RedisServer::start(&["appendonly yes", "appendfsync always"]))
    }

    fn connect(&self, login: Login) -> Arc<dyn MessageBroker> {
        let config =
            RedisConfig::streams(self.0.url_for(login)).durable().max_body(MAX_BODY).deadline(Duration::from_secs(3));
        Arc::new(RedisBroker::new(config).unwrap())
    }

    async fn listen(&self) -> Box<dyn Listener> {
        Box::new(self.0.cli().read("diator:events"))
    }

    fn server(&self) -> &dyn Server {
        &self.0
    }
}

diator_testkit::broker_conformance!(Streams);
diator_testkit::broker_faults!(Streams);
