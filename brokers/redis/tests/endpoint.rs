//! Whole endpoints on Redis Streams: a mediator publishes, and others handle, whatever becomes of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::endpoint::{Endpoint, ErrorPolicy, Order};
use diator::handlers;
use diator::host::Host;
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_testkit::broker::Server;
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

const LOCK: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = customer)]
struct OrderPlaced {
    order_id: u64,
    customer: u64,
}

/// What the handler does with an order, the first time and later.
type Act = fn(order: u64, attempt: usize) -> Does;

#[derive(Clone, Copy)]
enum Does {
    Succeeds,
    SucceedsAfter(Duration),
    Fails,
    FailsAfter(Duration),
    Panics,
}

/// What was done, in its order.
struct Bank {
    act: Act,
    attempts: Mutex<BTreeMap<u64, usize>>,
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

    fn charged(&self) -> Vec<(u64, u64)> {
        self.charged.lock().unwrap().clone()
    }

    /// How many orders were charged more than once.
    fn doubled(&self) -> usize {
        let mut times = BTreeMap::<_, usize>::new();
        self.charged().into_iter().for_each(|order| *times.entry(order).or_default() += 1);
        times.values().filter(|times| **times > 1).count()
    }
}

/// What the processes have in common.
struct World {
    server: RedisServer,
    config: fn(RedisConfig<Streams>) -> RedisConfig<Streams>,
    endpoint: fn(Endpoint) -> Endpoint,
    bank: Arc<Bank>,
}

impl World {
    fn new(act: Act) -> Self {
        let (config, endpoint): (fn(_) -> _, fn(_) -> _) = (|config| config, |endpoint| endpoint);
        Self { server: RedisServer::start(&["appendonly yes"]), config, endpoint, bank: Bank::new(act) }
    }

    fn config(&self) -> RedisConfig<Streams> {
        (self.config)(RedisConfig::streams(self.server.url()).lock(LOCK))
    }

    fn mediator(&self) -> Mediator {
        let services = Services::new().singleton::<Bank>(self.bank.clone());
        let broker = RedisBroker::new(self.config()).unwrap();
        Mediator::builder().handlers(handlers![Charge]).container(services).broker(broker).build().unwrap()
    }

    /// Publishes orders with these numbers, of five customers.
    async fn order(&self, orders: std::ops::Range<u64>) {
        let shop = self.mediator();
        for order_id in orders {
            shop.emit(OrderPlaced { order_id, customer: order_id % 5 }).await.unwrap();
        }
    }

    /// A process of the billing service, on a runtime of its own: one that is shut down takes along whatever runs on it.
    fn billing(&self) -> Process {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let subscription = RedisSubscription::new(self.config()).unwrap();
        let endpoint = (self.endpoint)(Endpoint::new("billing", subscription).topics(["orders"]).concurrency(4));
        let (stop, stopped) = oneshot::channel();
        let host = Host::new(self.mediator()).endpoint(endpoint).run_until(stopped);
        let ended = runtime.spawn(async move { host.await.expect("it ends in order") });
        Process { runtime, stop, ended }
    }

    async fn until_charged(&self, orders: usize) {
        until(|| self.bank.charged().iter().collect::<std::collections::BTreeSet<_>>().len() >= orders).await;
    }

    async fn until_nothing_is_pending(&self) {
        until(|| self.server.cli().run(&["XPENDING", "orders", "billing"])[0] == "0").await;
    }

    fn dead_letters(&self) -> Vec<BTreeMap<String, String>> {
        let texts = |fields: diator_tests::redis_server::Fields| {
            let text = |(name, value)| (name, String::from_utf8(value).unwrap());
            fields.into_iter().map(text).collect()
        };
        self.server.cli().entries("orders.dead").into_iter().map(texts).collect()
    }
}

struct Process {
    runtime: Runtime,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

impl Process {
    fn kill(self) {
        self.runtime.shutdown_background();
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
        self.runtime.shutdown_background();
    }
}

/// Waits until something holds.
async fn until(holds: impl Fn() -> bool) {
    within_patience(async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn all_events_are_handled_though_a_consumer_is_killed() {
    let world = World::new(|_, _| Does::SucceedsAfter(Duration::from_millis(10)));
    let (killed, survivor) = (world.billing(), world.billing());
    world.order(0..400).await;
    world.until_charged(50).await;
    killed.kill();
    world.until_charged(400).await;
    world.until_nothing_is_pending().await;
    assert!(world.bank.doubled() <= 2 * 4, "{} were handled twice, and no more than ran may be", world.bank.doubled());
    survivor.kill();
}

#[tokio::test]
async fn an_error_is_tried_again_and_becomes_a_dead_letter() {
    let mut world = World::new(|order, _| if order == 1 { Does::Fails } else { Does::Succeeds });
    world.endpoint = |endpoint| endpoint.errors(ErrorPolicy::new().immediately(2));
    world.order(0..3).await;
    let billing = world.billing();
    until(|| !world.dead_letters().is_empty()).await;
    world.until_nothing_is_pending().await;
    let letter = &world.dead_letters()[0];
    assert!(letter["dead_letter_reason"].contains("the bank is away"), "{letter:?}");
    assert_eq!((&*letter["dead_letter_endpoint"], &*letter["dead_letter_failures"]), ("billing", "3"));
    assert_eq!((&*letter["name"], &*letter["key"]), ("OrderPlaced", "1"));
    assert_eq!((world.bank.attempts.lock().unwrap()[&1], world.bank.charged().len()), (3, 2));
    billing.end().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_message_alone() {
    let world = World::new(|order, attempt| if order == 1 && attempt == 1 { Does::Panics } else { Does::Succeeds });
    world.order(0..3).await;
    let billing = world.billing();
    world.until_charged(3).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn garbage_and_foreign_fields_are_dead_letters() {
    let world = World::new(|_, _| Does::Succeeds);
    world.server.cli().run(&["XADD", "orders", "*", "data", "{}"]);
    world.server.cli().run(&["XADD", "orders", "*", "body", "garbage"]);
    let billing = world.billing();
    until(|| world.server.cli().run(&["XLEN", "orders.dead"]) == ["2"]).await;
    let letters = world.server.cli().run(&["XRANGE", "orders.dead", "-", "+"]);
    let kinds = letters.windows(2).filter(|pair| pair[0] == "dead_letter_kind" && pair[1] == "Unreadable");
    assert_eq!(kinds.count(), 2, "{letters:?}");
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn a_dead_letter_that_has_no_room_stays_in_the_stream() {
    let mut world = World::new(|_, _| Does::FailsAfter(Duration::from_secs(1)));
    world.endpoint = |endpoint| endpoint.errors(ErrorPolicy::new().immediately(0));
    world.order(0..1).await;
    let billing = world.billing();
    until(|| world.bank.attempts.lock().unwrap().get(&0) == Some(&1)).await;
    world.server.cli().run(&["CONFIG", "SET", "maxmemory", "1"]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.server.cli().run(&["XLEN", "orders.dead"]), ["0"]);
    assert_eq!(world.server.cli().run(&["XPENDING", "orders", "billing"])[0], "1");
    world.server.cli().run(&["CONFIG", "SET", "maxmemory", "0"]);
    until(|| world.dead_letters().len() == 1).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn what_waits_for_another_attempt_survives_a_kill() {
    let mut world = World::new(|_, attempt| if attempt == 1 { Does::Fails } else { Does::Succeeds });
    world.endpoint = |endpoint| endpoint.errors(ErrorPolicy::new().immediately(0).later([Duration::from_secs(3600)]));
    world.order(0..10).await;
    let killed = world.billing();
    until(|| world.bank.attempts.lock().unwrap().len() == 10).await;
    killed.kill();
    let billing = world.billing();
    world.until_charged(10).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn a_handler_that_is_slower_than_a_lock_is_called_once() {
    let world = World::new(|_, _| Does::SucceedsAfter(LOCK + LOCK / 2));
    world.order(0..16).await;
    let processes = [world.billing(), world.billing()];
    world.until_charged(16).await;
    world.until_nothing_is_pending().await;
    assert_eq!(world.bank.charged().len(), 16);
    for process in processes {
        process.end().await;
    }
}

#[tokio::test]
async fn what_an_orderly_end_leaves_is_handled_by_the_next_process() {
    let mut world = World::new(|_, _| Does::SucceedsAfter(Duration::from_millis(50)));
    // Longer than the test may take: nothing can wait for the end of a lock.
    world.config = |config| config.lock(Duration::from_secs(600));
    world.order(0..40).await;
    let first = world.billing();
    world.until_charged(8).await;
    first.end().await;
    let second = world.billing();
    world.until_charged(40).await;
    world.until_nothing_is_pending().await;
    assert_eq!(world.bank.doubled(), 0);
    second.end().await;
}

#[tokio::test]
async fn a_server_that_was_restarted_goes_on_being_read() {
    let world = World::new(|_, _| Does::Succeeds);
    let billing = world.billing();
    world.order(0..10).await;
    world.until_charged(10).await;
    world.server.kill();
    sleep(LOCK / 2).await;
    world.server.restart();
    world.order(10..20).await;
    world.until_charged(20).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn a_key_stays_in_order_though_messages_fail_and_processes_come_and_go() {
    let mut world = World::new(|order, attempt| match (order % 7, attempt) {
        (3, 1) => Does::Fails,
        _ => Does::SucceedsAfter(Duration::from_millis(2)),
    });
    world.config = |config| config.partitions(8);
    world.endpoint = |endpoint| endpoint.order(Order::PerKey);
    let first = world.billing();
    world.order(0..200).await;
    world.until_charged(50).await;
    let second = world.billing();
    world.order(200..300).await;
    world.until_charged(150).await;
    first.end().await;
    let third = world.billing();
    world.order(300..400).await;
    world.until_charged(400).await;
    let charged = world.bank.charged();
    assert_eq!((charged.len(), world.bank.doubled()), (400, 0));
    for customer in 0..5 {
        assert!(charged.iter().filter(|(of, _)| *of == customer).is_sorted(), "{charged:?}");
    }
    for process in [second, third] {
        process.end().await;
    }
}
