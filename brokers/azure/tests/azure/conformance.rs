//! The suite that every broker passes, with the stand-in for its server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::service_bus::{KEY, LISTENER, POLICY, ServiceBusServer};
use diator::MessageBroker;
use diator::broker::Guarantees;
use diator_azure::ServiceBusConfig;
use diator_testkit::broker::{Arrived, Driver, Listener, Login, Server};
use diator_testkit::{broker_conformance, broker_faults};

struct ServiceBus(Arc<ServiceBusServer>);

broker_conformance!(ServiceBus);
broker_faults!(ServiceBus);

#[diator::async_trait]
impl Driver for ServiceBus {
    const GUARANTEES: Guarantees = Guarantees::none().durable().confirmed().retained().max_body(256 * 1024);

    async fn start() -> Self {
        Self(Arc::new(ServiceBusServer::start()))
    }

    fn connect(&self, login: Login) -> Arc<dyn MessageBroker> {
        let (policy, key) = match login {
            Login::Right => (POLICY, KEY),
            Login::WrongPassword => (POLICY, Login::WRONG),
            Login::NotPermitted => (LISTENER, KEY),
        };
        connected(self.0.config_as(policy, key))
    }

    async fn listen(&self) -> Box<dyn Listener> {
        Box::new(Reader { server: self.0.clone(), read: 0 })
    }

    fn server(&self) -> &dyn Server {
        self
    }

    fn connect_through(&self, proxy: SocketAddr) -> Arc<dyn MessageBroker> {
        connected(self.0.config_through(proxy))
    }
}

fn connected(config: ServiceBusConfig) -> Arc<dyn MessageBroker> {
    let config = config.queue("work").deadline(Duration::from_secs(10)).connect_timeout(Duration::from_secs(4));
    Arc::new(super::broker(config))
}

impl Server for ServiceBus {
    fn kill(&self) {
        self.0.stop();
    }

    fn restart(&self) {
        self.0.restart();
    }

    fn pause(&self) {
        self.0.pause();
    }

    fn resume(&self) {
        self.0.resume();
    }

    fn permit(&self) {
        self.0.permit(LISTENER);
    }

    fn limit(&self, bytes: usize) {
        self.0.limit(bytes);
    }

    fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// Reads what the server answered with 201; it is what a queue would keep.
struct Reader {
    server: Arc<ServiceBusServer>,
    read: usize,
}

#[diator::async_trait]
impl Listener for Reader {
    async fn next(&mut self) -> Option<Arrived> {
        let request = self.server.taken_number(self.read).await;
        self.read += 1;
        let id = request.broker_properties()["MessageId"].as_str()?.parse().ok()?;
        Some(Arrived { id, body: request.body })
    }
}
