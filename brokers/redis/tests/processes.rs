//! Consumers that are processes of their own: killed, and stopped in the middle.
//!
//! A test starts its own program anew, which then consumes and says what it has done.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{File, read_to_string};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use diator::endpoint::{Endpoint, Order};
use diator::handlers;
use diator::host::Host;
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_testkit::within_patience;
use diator_tests::redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

const LOCK: Duration = Duration::from_secs(2);
const CONCURRENCY: usize = 4;
/// What a process may have begun, or done without the server knowing it, when it ends. It holds many times as many.
const IN_HAND: usize = 4 * CONCURRENCY;
const URL: &str = "DIATOR_TEST_CONSUMES_FROM";

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = customer)]
struct OrderPlaced {
    order_id: u64,
    customer: u64,
}

#[event_handler(OrderPlaced)]
struct Charge;

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        sleep(Duration::from_millis(10)).await;
        writeln!(std::io::stdout(), "charged {} {}", order.customer, order.order_id)?;
        Ok(())
    }
}

fn config(url: &str, partitions: Option<u32>) -> RedisConfig<Streams> {
    let config = RedisConfig::streams(url).lock(LOCK);
    partitions.map_or(config.clone(), |count| config.partitions(count))
}

fn mediator(config: RedisConfig<Streams>) -> Mediator {
    Mediator::builder().handlers(handlers![Charge]).broker(RedisBroker::new(config).unwrap()).build().unwrap()
}

/// Is a consumer, if this process was started as one.
async fn consume_if_told(partitions: Option<u32>) {
    let Ok(url) = env::var(URL) else { return };
    let config = config(&url, partitions);
    let endpoint = Endpoint::new("billing", RedisSubscription::new(config.clone()).unwrap()).topics(["orders"]);
    let endpoint = endpoint.concurrency(CONCURRENCY);
    let endpoint = if partitions.is_some() { endpoint.order(Order::PerKey) } else { endpoint };
    Host::new(mediator(config)).endpoint(endpoint).run_until(std::future::pending::<()>()).await.unwrap();
}

async fn publish(server: &RedisServer, partitions: Option<u32>, orders: u64) {
    let shop = mediator(config(&server.url(), partitions));
    for order_id in 0..orders {
        shop.emit(OrderPlaced { order_id, customer: order_id % 5 }).await.unwrap();
    }
}

/// A consumer. Dropping it kills it.
struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    fn start(server: &RedisServer, test: &str, name: &str) -> Self {
        let log = server.directory().join(name);
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(URL, server.url()).stdin(Stdio::null());
        let child = command.stdout(File::create(&log).unwrap()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, log }
    }

    /// The customers and orders, in the order in which they were charged.
    fn charged(&self) -> Vec<(u64, u64)> {
        let text = read_to_string(&self.log).unwrap();
        let of = |line: &str| {
            let (customer, order) = line.strip_prefix("charged ")?.split_once(' ')?;
            Some((customer.parse().ok()?, order.parse().ok()?))
        };
        text.lines().filter_map(of).collect()
    }

    async fn until_charged(&self, orders: usize) {
        until(|| self.charged().len() >= orders).await;
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until(holds: impl Fn() -> bool) {
    within_patience(async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// All orders are charged, those twice that a process had in hand, and in the order of their customers in each process.
async fn until_all_are_charged(processes: &[&Process], orders: usize) {
    let all = || processes.iter().flat_map(|process| process.charged()).collect::<Vec<_>>();
    until(|| all().into_iter().collect::<BTreeSet<_>>().len() == orders).await;
    let mut times = BTreeMap::<_, usize>::new();
    all().into_iter().for_each(|order| *times.entry(order).or_default() += 1);
    let doubled = times.values().filter(|times| **times > 1).count();
    assert!(doubled <= IN_HAND, "{doubled} were charged twice, and no more than {IN_HAND} may be");
}

fn assert_ordered(process: &Process) {
    for customer in 0..5 {
        let charged = process.charged();
        assert!(charged.iter().filter(|(of, _)| *of == customer).is_sorted(), "{charged:?}");
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing() {
    consume_if_told(None).await;
    let server = RedisServer::start(&[]);
    let test = "a_killed_process_loses_nothing";
    let (killed, other) = (Process::start(&server, test, "killed"), Process::start(&server, test, "other"));
    publish(&server, None, 300).await;
    killed.until_charged(40).await;
    killed.signal("-KILL");
    let again = Process::start(&server, test, "again");
    until_all_are_charged(&[&killed, &other, &again], 300).await;
    until(|| server.cli().run(&["XPENDING", "orders", "billing"])[0] == "0").await;
}

#[tokio::test]
async fn a_killed_process_leaves_its_partitions_in_order() {
    consume_if_told(Some(4)).await;
    let server = RedisServer::start(&[]);
    let test = "a_killed_process_leaves_its_partitions_in_order";
    let killed = Process::start(&server, test, "killed");
    publish(&server, Some(4), 300).await;
    killed.until_charged(40).await;
    let other = Process::start(&server, test, "other");
    other.until_charged(1).await;
    killed.signal("-KILL");
    until_all_are_charged(&[&killed, &other], 300).await;
    [killed, other].iter().for_each(assert_ordered);
}

#[tokio::test]
async fn a_process_that_stood_still_for_longer_than_a_lock_handles_nothing_that_others_have() {
    consume_if_told(Some(4)).await;
    let server = RedisServer::start(&[]);
    let test = "a_process_that_stood_still_for_longer_than_a_lock_handles_nothing_that_others_have";
    let (stopped, other) = (Process::start(&server, test, "stopped"), Process::start(&server, test, "other"));
    until(|| {
        let owners = server.cli().run(&["HVALS", "diator:leases:billing"]);
        owners.iter().collect::<BTreeSet<_>>().len() == 2
    })
    .await;
    publish(&server, Some(4), 300).await;
    stopped.until_charged(10).await;
    stopped.signal("-STOP");
    let before = stopped.charged().len();
    until(|| stopped.charged().len() + other.charged().len() >= 300).await;
    stopped.signal("-CONT");
    // It ends what ran, and what had begun before the end was noticed.
    sleep(LOCK).await;
    assert!(stopped.charged().len() <= before + IN_HAND, "{} came after {before}", stopped.charged().len());
    until_all_are_charged(&[&stopped, &other], 300).await;
    [stopped, other].iter().for_each(assert_ordered);
}
