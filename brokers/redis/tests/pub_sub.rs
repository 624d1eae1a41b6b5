//! The conformance suite over Redis Pub/Sub.

use std::sync::Arc;
use std::time::Duration;

use diator::MessageBroker;
use diator::broker::Guarantees;
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Driver, Listener, Login, Server};
use diator_tests::redis_server::RedisServer;

const MAX_BODY: usize = 1024 * 1024;

struct PubSub(RedisServer);

#[diator::async_trait]
impl Driver for PubSub {
    const GUARANTEES: Guarantees = Guarantees::none().ordered().max_body(MAX_BODY);

    async fn start() -> Self {
        Self(RedisServer::start(&[]))
    }

    fn connect(&self, login: Login) -> Arc<dyn MessageBroker> {
        let config = RedisConfig::pub_sub(self.0.url_for(login)).max_body(MAX_BODY).deadline(Duration::from_secs(3));
        Arc::new(RedisBroker::new(config).unwrap())
    }

    async fn listen(&self) -> Box<dyn Listener> {
        Box::new(self.0.cli().subscribe("python_diator_channel:*"))
    }

    fn server(&self) -> &dyn Server {
        &self.0
    }
}

diator_testkit::broker_conformance!(PubSub);
diator_testkit::broker_faults!(PubSub);
