//! Whole endpoints over Kafka: order per key, a low watermark over a crash, and a process that joins in mid work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diator::broker::{MessageType, OutboundMessage};
use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::cluster::Cluster;

const PATIENCE: Duration = Duration::from_secs(45);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(name = "Counted", topic = "orders", key = key)]
struct Counted {
    key: String,
    number: usize,
}

/// What was handled, by which process, in its order; handlers of some numbers never end, and one number is poison.
#[derive(Debug, Default)]
struct Log {
    ended: Mutex<Vec<(&'static str, String, usize)>>,
    hanging: Mutex<Vec<usize>>,
    poison: Mutex<Option<usize>>,
}

impl Log {
    fn ended(&self) -> Vec<(&'static str, String, usize)> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn numbers(&self) -> Vec<usize> {
        let mut numbers: Vec<_> = self.ended().into_iter().map(|(.., number)| number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn hangs(&self, numbers: &[usize]) {
        *self.hanging.lock().unwrap_or_else(PoisonError::into_inner) = numbers.to_vec();
    }

    async fn wait_for(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{what}: {:?}", self.ended());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Names a process in the log, and how long its handlers take.
#[derive(Debug)]
struct Process {
    name: &'static str,
    takes: Duration,
}

#[event_handler(Counted, id = "judge.count")]
struct Count {
    log: Arc<Log>,
    process: Arc<Process>,
}

impl EventHandler<Counted> for Count {
    async fn handle(&self, event: &Counted, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        let hangs = self.log.hanging.lock().unwrap_or_else(PoisonError::into_inner).contains(&event.number);
        if hangs {
            std::future::pending::<()>().await;
        }
        if *self.log.poison.lock().unwrap_or_else(PoisonError::into_inner) == Some(event.number) {
            return Err("it is poison".into());
        }
        sleep(self.process.takes).await;
        let mut ended = self.log.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push((self.process.name, event.key.clone(), event.number));
        Ok(())
    }
}

/// A process that runs the endpoint.
struct Running {
    stop: oneshot::Sender<()>,
    host: JoinHandle<()>,
}

impl Running {
    fn start(cluster: &Cluster, log: &Arc<Log>, name: &'static str, takes: Duration) -> Self {
        let services =
            Services::new().singleton::<Log>(log.clone()).singleton::<Process>(Arc::new(Process { name, takes }));
        let mediator = Mediator::builder().handlers(handlers![Count]).container(services).without_broker().build();
        let endpoint =
            Endpoint::new("counting", cluster.kafka()).topics(["orders"]).order(Order::PerKey).concurrency(8);
        let host = Host::new(mediator.expect("it is complete")).deadline(Duration::from_secs(5)).endpoint(endpoint);
        let (stop, stopped) = oneshot::channel();
        let host = tokio::spawn(async move { _ = host.run_until(stopped).await });
        Self { stop, host }
    }

    async fn stop(self) {
        _ = self.stop.send(());
        self.host.await.expect("it ends");
    }

    /// Ends it without a word to its endpoint.
    async fn crash(self) {
        self.host.abort();
        _ = self.host.await;
    }
}

async fn publish(cluster: &Cluster, key: &str, number: usize) {
    let id = Uuid::now_v7();
    let payload = serde_json::json!({"key": key, "number": number});
    let body = serde_json::json!({"message_type": "notification_event", "message_name": "Counted", "message_id": id, "payload": payload});
    let message = OutboundMessage::new(id, MessageType::Notification, "Counted", body.to_string().into_bytes());
    cluster.publish(&message.with_topic("orders").with_key(key)).await;
}

/// The numbers of each key, in the order in which they were handled.
fn by_key(ended: &[(&'static str, String, usize)]) -> BTreeMap<String, Vec<usize>> {
    ended.iter().fold(BTreeMap::new(), |mut keys, (_, key, number)| {
        keys.entry(key.clone()).or_insert_with(Vec::new).push(*number);
        keys
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_key_are_handled_in_order() {
    let (cluster, log) = (Cluster::start(), Arc::new(Log::default()));
    let one = Running::start(&cluster, &log, "one", Duration::from_millis(5));
    for number in 0..120 {
        publish(&cluster, &format!("key-{}", number % 7), number).await;
    }
    log.wait_for("all are handled", |log| log.ended().len() >= 120).await;
    one.stop().await;
    assert_eq!(log.numbers(), (0..120).collect::<Vec<_>>());
    assert!(by_key(&log.ended()).values().all(|numbers| numbers.is_sorted()));
    // Nothing comes again: all of it was committed.
    let two = Running::start(&cluster, &log, "two", Duration::ZERO);
    publish(&cluster, "key-0", 120).await;
    log.wait_for("what is new is handled", |log| log.ended().len() > 120).await;
    two.stop().await;
    assert_eq!(log.numbers(), (0..=120).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_commit_passes_a_message_that_is_not_done() {
    let (cluster, log) = (Cluster::start(), Arc::new(Log::default()));
    log.hangs(&[3]);
    let one = Running::start(&cluster, &log, "one", Duration::ZERO);
    for number in 0..40 {
        publish(&cluster, &format!("key-{number}"), number).await;
    }
    log.wait_for("all but one are handled", |log| log.ended().len() >= 39).await;
    // The verdicts before it, and of other partitions, have their time to be committed.
    sleep(Duration::from_secs(1)).await;
    one.crash().await;
    log.hangs(&[]);
    let two = Running::start(&cluster, &log, "two", Duration::ZERO);
    let again =
        |log: &Log| log.ended().iter().filter(|(name, ..)| *name == "two").map(|(.., n)| *n).collect::<Vec<_>>();
    log.wait_for("it comes again", |log| again(log).contains(&3)).await;
    sleep(Duration::from_secs(1)).await;
    two.stop().await;
    let again = again(&log);
    // With it come those behind it in its partition, and no others.
    assert!(again.iter().all(|number| *number >= 3) && again.len() < 39, "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_joins_in_mid_work_loses_and_doubles_nothing() {
    let (cluster, log) = (Cluster::start(), Arc::new(Log::default()));
    let one = Running::start(&cluster, &log, "one", Duration::from_millis(100));
    for number in 0..400 {
        publish(&cluster, &format!("key-{}", number % 24), number).await;
    }
    log.wait_for("it is in the midst of it", |log| log.ended().len() >= 40).await;
    let two = Running::start(&cluster, &log, "two", Duration::from_millis(100));
    log.wait_for("the other one has a part", |log| log.ended().iter().any(|(name, ..)| *name == "two")).await;
    let of_one = |log: &Log| log.ended().iter().filter(|(name, ..)| *name == "one").count();
    let then = of_one(&log);
    log.wait_for("all are handled", |log| log.numbers().ends_with(&[399]) && log.ended().len() >= 400).await;
    // Handlers that end in time are settled before the partition goes, so that nothing is done twice.
    assert_eq!(log.numbers(), (0..400).collect::<Vec<_>>());
    assert!(by_key(&log.ended()).values().all(|numbers| numbers.is_sorted()));
    assert!(of_one(&log) >= then);
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_before_the_handover_is_over_comes_to_the_next_owner() {
    let (cluster, log) = (Cluster::start(), Arc::new(Log::default()));
    log.hangs(&(0..40).collect::<Vec<_>>());
    let one = Running::start(&cluster, &log, "one", Duration::ZERO);
    for number in 0..8 {
        publish(&cluster, &format!("key-{number}"), number).await;
    }
    sleep(Duration::from_secs(2)).await;
    log.hangs(&[]);
    // All handlers of the first process hang on, and the second one gets what it gives up.
    let two = Running::start(&cluster, &log, "two", Duration::ZERO);
    log.wait_for("the other one handles its part", |log| !log.ended().is_empty()).await;
    one.crash().await;
    log.wait_for("the rest comes after the crash", |log| log.ended().len() >= 8).await;
    two.stop().await;
    assert_eq!(log.numbers(), (0..8).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_that_has_no_place_stops_its_partition_alone() {
    let (cluster, log) = (Cluster::start(), Arc::new(Log::default()));
    cluster.refuse_dead_letters(true);
    *log.poison.lock().unwrap_or_else(PoisonError::into_inner) = Some(0);
    let one = Running::start(&cluster, &log, "one", Duration::ZERO);
    for number in 0..40 {
        publish(&cluster, &format!("key-{}", number % 10), number).await;
    }
    log.wait_for("other partitions go on", |log| log.ended().len() >= 20).await;
    assert_eq!(cluster.dead_letters("counting"), []);
    cluster.refuse_dead_letters(false);
    let handled = |log: &Log| (1..40).all(|number| log.numbers().contains(&number));
    log.wait_for("all others are handled", handled).await;
    let end = Instant::now() + PATIENCE;
    while cluster.dead_letters("counting").is_empty() {
        assert!(Instant::now() < end, "there is no dead letter");
        sleep(Duration::from_millis(500)).await;
    }
    one.stop().await;
    let letters = cluster.dead_letters("counting");
    assert!(letters.iter().all(|letter| letter.reason.contains("it is poison")), "{letters:?}");
    // Nothing comes again.
    let before = log.ended().len();
    let two = Running::start(&cluster, &log, "two", Duration::ZERO);
    sleep(Duration::from_secs(5)).await;
    two.stop().await;
    assert_eq!(log.ended().len(), before);
}
