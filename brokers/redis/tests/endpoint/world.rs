//! What the processes of these tests have in common: a server, a bank, and what the handler of the bank does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::endpoint::Endpoint;
use diator::handlers;
use diator::host::Host;
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_testkit::within_patience;
use diator_tests::redis_server::{Fields, RedisServer};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub(crate) const LOCK: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = customer)]
struct OrderPlaced {
    order_id: u64,
    customer: u64,
}

/// What the handler does with an order, the first time and later.
pub(crate) type Act = fn(order: u64, attempt: usize) -> Does;

#[derive(Clone, Copy)]
pub(crate) enum Does {
    Succeeds,
    SucceedsAfter(Duration),
    Fails,
    FailsAfter(Duration),
    Panics,
}

/// What was done, in its order.
pub(crate) struct Bank {
    act: Act,
    pub(crate) attempts: Mutex<BTreeMap<u64, usize>>,
    charged: Mutex<Vec<(u64, u64)>>,
}

#[event_handler(OrderPlaced)]
struct Charge {
    bank: Arc<Bank>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        let attempt = {
            let mut attempts = self.bank.attempts.lock().unwrap();
            let attempt = attempts.entry(order.order_id).or_default();
            *attempt += 1;
            *attempt
        };
        match (self.bank.act)(order.order_id, attempt) {
            Does::Succeeds => {}
            Does::SucceedsAfter(time) => sleep(time).await,
            Does::Fails => return Err("the bank is away".into()),
            Does::FailsAfter(time) => {
                sleep(time).await;
                return Err("the bank is slow".into());
            }
            Does::Panics => panic!("the bank is on fire"),
        }
        self.bank.charged.lock().unwrap().push((order.customer, order.order_id));
        Ok(())
    }
}

impl Bank {
    fn new(act: Act) -> Arc<Self> {
        Arc::new(Self { act, attempts: Mutex::default(), charged: Mutex::default() })
    }

    pub(crate) fn charged(&self) -> Vec<(u64, u64)> {
        self.charged.lock().unwrap().clone()
    }

    /// How many orders were charged more than once.
    pub(crate) fn doubled(&self) -> usize {
        let mut times = BTreeMap::<_, usize>::new();
        self.charged().into_iter().for_each(|order| *times.entry(order).or_default() += 1);
        times.values().filter(|times| **times > 1).count()
    }
}

/// What the processes have in common.
pub(crate) struct World {
    pub(crate) server: RedisServer,
    /// Where processes find the server.
    pub(crate) url: String,
    pub(crate) config: fn(RedisConfig<Streams>) -> RedisConfig<Streams>,
    pub(crate) endpoint: fn(Endpoint) -> Endpoint,
    pub(crate) bank: Arc<Bank>,
}

impl World {
    pub(crate) fn new(act: Act) -> Self {
        let (config, endpoint): (fn(_) -> _, fn(_) -> _) = (|config| config, |endpoint| endpoint);
        let server = RedisServer::start(&["appendonly yes"]);
        Self { url: server.url(), server, config, endpoint, bank: Bank::new(act) }
    }

    fn config(&self) -> RedisConfig<Streams> {
        (self.config)(RedisConfig::streams(self.url.clone()).lock(LOCK))
    }

    fn mediator(&self) -> Mediator {
        let services = Services::new().singleton::<Bank>(self.bank.clone());
        let broker = RedisBroker::new(self.config()).unwrap();
        Mediator::builder().handlers(handlers![Charge]).container(services).broker(broker).build().unwrap()
    }

    /// Publishes orders with these numbers, of five customers.
    pub(crate) async fn order(&self, orders: Range<u64>) {
        let shop = self.mediator();
        for order_id in orders {
            shop.emit(OrderPlaced { order_id, customer: order_id % 5 }).await.unwrap();
        }
    }

    /// A process of the billing service, on a runtime of its own: one that is shut down takes along whatever runs on it.
    pub(crate) fn billing(&self) -> Process {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let subscription = RedisSubscription::new(self.config()).unwrap();
        let endpoint = (self.endpoint)(Endpoint::new("billing", subscription).topics(["orders"]).concurrency(4));
        let (stop, stopped) = oneshot::channel();
        let host = Host::new(self.mediator()).endpoint(endpoint).run_until(stopped);
        let ended = runtime.spawn(async move { host.await.expect("it ends in order") });
        Process { runtime, stop, ended }
    }

    pub(crate) async fn until_charged(&self, orders: usize) {
        until(|| self.bank.charged().iter().collect::<BTreeSet<_>>().len() >= orders).await;
    }

    pub(crate) async fn until_nothing_is_pending(&self) {
        until(|| self.server.cli().run(&["XPENDING", "orders", "billing"])[0] == "0").await;
    }

    pub(crate) fn dead_letters(&self) -> Vec<BTreeMap<String, String>> {
        let texts = |fields: Fields| {
            let text = |(name, value)| (name, String::from_utf8(value).unwrap());
            fields.into_iter().map(text).collect()
        };
        self.server.cli().entries("orders.dead").into_iter().map(texts).collect()
    }
}

pub(crate) struct Process {
    runtime: Runtime,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Process {
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }

    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
        self.runtime.shutdown_background();
    }
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
