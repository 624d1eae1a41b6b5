//! Whole endpoints on Redis Streams: a mediator publishes, and others handle, whatever becomes of them.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::endpoint::Endpoint;
use diator::handlers;
use diator::host::Host;
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription};
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

const LOCK: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u64,
}

/// How often each order was handled.
#[derive(Default)]
struct Charged(Mutex<BTreeMap<u64, usize>>);

#[event_handler(OrderPlaced)]
struct Charge {
    charged: Arc<Charged>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        sleep(Duration::from_millis(10)).await;
        *self.charged.0.lock().unwrap().entry(order.order_id).or_default() += 1;
        Ok(())
    }
}

impl Charged {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    async fn reaches(&self, count: usize) {
        while self.count() < count {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn mediator(server: &RedisServer, charged: &Arc<Charged>) -> Mediator {
    let services = Services::new().singleton::<Charged>(charged.clone());
    let broker = RedisBroker::new(RedisConfig::streams(server.url())).unwrap();
    Mediator::builder().handlers(handlers![Charge]).container(services).broker(broker).build().unwrap()
}

/// A process of the billing service, on a runtime of its own: one that is shut down takes along whatever runs on it.
fn billing(server: &RedisServer, charged: &Arc<Charged>) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let subscription = RedisSubscription::new(RedisConfig::streams(server.url()).lock(LOCK)).unwrap();
    let endpoint = Endpoint::new("billing", subscription).topics(["orders"]).concurrency(4);
    runtime.spawn(Host::new(mediator(server, charged)).endpoint(endpoint).run_until(pending::<()>()));
    runtime
}

#[tokio::test]
async fn all_events_are_handled_though_a_consumer_is_killed() {
    const ORDERS: usize = 400;
    let server = RedisServer::start(&[]);
    let charged = Arc::new(Charged::default());
    let (killed, survivor) = (billing(&server, &charged), billing(&server, &charged));
    let shop = mediator(&server, &charged);
    for order_id in 0..ORDERS as u64 {
        shop.emit(OrderPlaced { order_id }).await.unwrap();
    }
    within_patience(charged.reaches(ORDERS / 8)).await;
    killed.shutdown_background();
    within_patience(charged.reaches(ORDERS)).await;
    within_patience(async {
        while server.cli().run(&["XPENDING", "orders", "billing"])[0] != "0" {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let twice = charged.0.lock().unwrap().values().filter(|times| **times > 1).count();
    assert!(twice <= 2 * 4, "{twice} were handled twice, and no more than ran may be");
    survivor.shutdown_background();
}
