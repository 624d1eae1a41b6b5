use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diator::OutboundMessage;
use diator::subscription::{
    ConsumeError, Delivery, Observation, Opened, Ownership, Settle, Settled, Settlement, Share, Source, Subscription,
    Taken, Verdict, Wanted,
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Driver;
use crate::broker::message;

pub(super) const TOPIC: &str = "orders";
pub(super) const ENDPOINT: &str = "billing";

/// A message that tells its number, of one key.
pub(super) fn keyed(number: usize, key: usize) -> OutboundMessage {
    message(number).with_topic(TOPIC).with_key(format!("key-{key}"))
}

/// The number of the message that was delivered.
pub(super) fn number(delivery: &Delivery) -> usize {
    let body: Value = serde_json::from_slice(&delivery.body).expect("the body is what was published");
    let number = body["payload"]["number"].as_u64().expect("it tells its number");
    usize::try_from(number).expect("the number is small")
}

pub(super) fn numbers(deliveries: &[Delivery]) -> Vec<usize> {
    let mut numbers: Vec<_> = deliveries.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// Publishes messages with these numbers, of seven keys.
pub(super) async fn publish<D: Driver>(driver: &D, numbers: std::ops::Range<usize>) {
    for number in numbers {
        driver.publish(&keyed(number, number % 7)).await;
    }
}

/// Waits until a lock that begins now is over.
pub(super) async fn outwait_lock<D: Driver>() {
    if let Some(period) = D::CAPABILITIES.lock {
        sleep(period + period / 4).await;
    }
}

/// What a process has of an endpoint; dropping it is a crash.
///
/// Its methods borrow it for themselves, because a source need not be `Sync`.
pub(super) struct Process {
    subscription: Arc<dyn Subscription>,
    pub(super) share: Share,
    /// How long something may take that must happen.
    pub(super) patience: Duration,
    pub(super) source: Box<dyn Source>,
    pub(super) settle: Arc<dyn Settle>,
    /// Whether it gives partitions up as soon as it is asked.
    pub(super) yields: bool,
    pub(super) asked: Vec<(Vec<Ownership>, Instant)>,
    pub(super) lost: Vec<Ownership>,
}

impl Process {
    pub(super) async fn open<D: Driver>(driver: &D) -> Self {
        Self::open_as(driver, ENDPOINT, &[]).await
    }

    pub(super) async fn open_as<D: Driver>(driver: &D, endpoint: &str, formerly: &[String]) -> Self {
        Self::open_on::<D>(driver.connect(), endpoint, formerly, usual_share::<D>()).await
    }

    /// It has all messages of the endpoint, whoever else opens it.
    pub(super) async fn open_for_itself<D: Driver>(driver: &D) -> Self {
        Self::open_on::<D>(driver.connect(), ENDPOINT, &[], Share::Broadcast).await
    }

    pub(super) async fn open_on<D: Driver>(
        subscription: Arc<dyn Subscription>,
        endpoint: &str,
        formerly: &[String],
        share: Share,
    ) -> Self {
        let opening = open_shared(&*subscription, endpoint, formerly, share);
        let Opened { source, settle } = in_time::<D, _>("open", opening).await.expect("the engine is well");
        let (patience, asked, lost) = (D::PATIENCE, Vec::new(), Vec::new());
        Self { subscription, share, patience, source, settle, yields: true, asked, lost }
    }

    /// The next opening of the endpoint: of another process, or of this one where each has a position of its own.
    pub(super) fn successor<D: Driver>(&self, driver: &D) -> Arc<dyn Subscription> {
        match self.share {
            Share::Group => driver.connect(),
            Share::Broadcast => self.subscription.clone(),
        }
    }

    /// It crashes, and the endpoint is opened once more.
    pub(super) async fn crash<D: Driver>(self, driver: &D) -> Self {
        let (successor, share) = (self.successor(driver), self.share);
        drop(self);
        Self::open_on::<D>(successor, ENDPOINT, &[], share).await
    }

    /// It ends in order, and the endpoint is opened once more, under this name.
    pub(super) async fn close_and_open<D: Driver>(self, driver: &D, endpoint: &str, formerly: &[String]) -> Self {
        let (successor, share) = (self.successor(driver), self.share);
        self.close().await;
        Self::open_on::<D>(successor, endpoint, formerly, share).await
    }

    /// It ends in order, and the endpoint is opened once more.
    pub(super) async fn reopen<D: Driver>(self, driver: &D) -> Self {
        self.close_and_open(driver, ENDPOINT, &[]).await
    }

    /// The deliveries that come within this time; `None` if there are none.
    pub(super) async fn next(&mut self, credit: usize, within: Duration) -> Option<Vec<Delivery>> {
        self.try_next(credit, within).await.expect("the engine is well")
    }

    pub(super) async fn try_next(
        &mut self,
        credit: usize,
        within: Duration,
    ) -> Result<Option<Vec<Delivery>>, ConsumeError> {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(taken) = timeout(left, self.source.next(credit)).await else { return Ok(None) };
            if let Taken::Deliveries(deliveries) = self.note(taken?) {
                let fits = (1..=credit).contains(&deliveries.len());
                assert!(fits, "{} deliveries came for a credit of {credit}", deliveries.len());
                return Ok(Some(deliveries));
            }
        }
    }

    /// Keeps in mind what the engine says of owners.
    pub(super) fn note(&mut self, taken: Taken) -> Taken {
        match &taken {
            Taken::Revoking { owners, by } => {
                if self.yields {
                    self.settle.revoked(owners);
                }
                self.asked.push((owners.clone(), *by));
            }
            Taken::Lost { owners } => self.lost.extend(owners),
            _ => {}
        }
        taken
    }

    /// Takes so many deliveries, and holds them.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let more = self.next(count - taken.len(), self.patience).await;
            taken.extend(more.unwrap_or_else(|| panic!("{} of {count} deliveries came in time", taken.len())));
        }
        taken
    }

    /// Takes so many deliveries, and settles each of them as soon as it comes.
    pub(super) async fn take_and_ack(&mut self, count: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let more = self.next(count - taken.len(), self.patience).await;
            let more = more.unwrap_or_else(|| panic!("{} of {count} deliveries came in time", taken.len()));
            self.ack(&more).await;
            taken.extend(more);
        }
        taken
    }

    pub(super) async fn take_one(&mut self) -> Delivery {
        self.take(1).await.remove(0)
    }

    /// Asserts that nothing is delivered for a while.
    pub(super) async fn is_given_nothing<D: Driver>(&mut self) {
        self.is_given_nothing_for(D::QUIET).await;
    }

    pub(super) async fn is_given_nothing_for(&mut self, time: Duration) {
        let came = self.next(100, time).await;
        assert!(came.is_none(), "messages {:?} came", numbers(&came.unwrap_or_default()));
    }

    /// Settles deliveries in their order, and asserts that all of it is done.
    pub(super) async fn settle(&mut self, deliveries: &[Delivery], verdict: &Verdict) {
        let answers = self.try_settle(deliveries, verdict).await;
        assert!(answers.iter().all(|answer| *answer == Settled::Done), "{answers:?}");
    }

    pub(super) async fn ack(&mut self, deliveries: &[Delivery]) {
        self.settle(deliveries, &Verdict::Ack).await;
    }

    pub(super) async fn try_settle(&mut self, deliveries: &[Delivery], verdict: &Verdict) -> Vec<Settled> {
        let settlement = |delivery: &Delivery| Settlement::new(delivery.tag, verdict.clone());
        let batch: Vec<_> = deliveries.iter().map(settlement).collect();
        let answers = timeout(self.patience, self.settle.settle(&batch)).await.expect("settling ends");
        assert_eq!(answers.len(), batch.len(), "each settlement has an answer");
        answers.into_iter().map(|answer| answer.expect("the engine is well")).collect()
    }

    /// Waits until its source fails.
    pub(super) async fn ends(&mut self) {
        let end = Instant::now() + self.patience;
        while self.try_next(1, self.patience).await.is_ok() {
            assert!(Instant::now() < end, "the source must fail");
        }
    }

    /// Asserts that these deliveries, of an opening that is over, can be neither settled nor extended.
    pub(super) async fn has_lost<D: Driver>(&mut self, deliveries: &[Delivery]) {
        let settled = self.try_settle(deliveries, &Verdict::Ack).await;
        assert!(
            settled.iter().all(|answer| *answer == Settled::LockLost),
            "what an opening that is over settles is lost, but the answers are {settled:?}"
        );
        if D::CAPABILITIES.extends {
            for delivery in deliveries {
                assert_eq!(self.extend(delivery).await, Settled::LockLost);
            }
        }
    }

    pub(super) async fn observe(&mut self) -> Observation {
        let observed = timeout(self.patience, self.settle.observe()).await;
        observed.expect("observing ends").expect("the engine is well")
    }

    /// Waits until something holds of the endpoint.
    pub(super) async fn observes(&mut self, holds: impl Fn(Observation) -> bool) {
        let end = Instant::now() + self.patience;
        loop {
            let observation = self.observe().await;
            if holds(observation) {
                return;
            }
            assert!(Instant::now() < end, "it was never observed; at last it was {observation:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn extend(&mut self, delivery: &Delivery) -> Settled {
        let mut answers = timeout(self.patience, self.settle.extend(&[delivery.tag])).await.expect("extending ends");
        assert_eq!(answers.len(), 1, "each delivery has an answer");
        answers.remove(0).expect("the engine is well")
    }

    pub(super) async fn close(self) {
        drop(self.source);
        timeout(self.patience, self.settle.close()).await.expect("closing ends");
    }
}

/// What most cases open: a group, where the engine has some.
fn usual_share<D: Driver>() -> Share {
    if D::CAPABILITIES.competing { Share::Group } else { Share::Broadcast }
}

pub(super) async fn try_open<D: Driver>(
    subscription: &dyn Subscription,
    endpoint: &str,
    formerly: &[String],
) -> Result<Opened, ConsumeError> {
    open_shared(subscription, endpoint, formerly, usual_share::<D>()).await
}

async fn open_shared(
    subscription: &dyn Subscription,
    endpoint: &str,
    formerly: &[String],
    share: Share,
) -> Result<Opened, ConsumeError> {
    let topics = [TOPIC.to_owned()];
    subscription.open(&Wanted::new(endpoint, &topics).with_formerly(formerly).with_share(share)).await
}

/// Lets processes take and settle at the same time until so many deliveries came, and nothing more.
///
/// It returns what each of them was given.
pub(super) async fn drain<D: Driver>(processes: Vec<Process>, total: usize) -> Vec<(Process, Vec<Delivery>)> {
    let came = Arc::new(AtomicUsize::new(0));
    let end = Instant::now() + D::PATIENCE;
    let consuming = processes.into_iter().map(|mut process| {
        let came = came.clone();
        tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                let enough = came.load(Ordering::SeqCst) >= total;
                let within = if enough { D::QUIET } else { Duration::from_millis(20) };
                match process.next(4, within).await {
                    Some(deliveries) => {
                        process.ack(&deliveries).await;
                        came.fetch_add(deliveries.len(), Ordering::SeqCst);
                        all.extend(deliveries);
                    }
                    None if enough => return (process, all),
                    None => assert!(Instant::now() < end, "{} of {total} came in time", came.load(Ordering::SeqCst)),
                }
            }
        })
    });
    let mut drained = Vec::new();
    for task in consuming.collect::<Vec<_>>() {
        drained.push(task.await.expect("the process is well"));
    }
    drained
}

/// The numbers of each key, in the order in which they came.
pub(super) fn by_key(deliveries: &[Delivery]) -> BTreeMap<String, Vec<usize>> {
    deliveries.iter().fold(BTreeMap::new(), |mut sorted, delivery| {
        let key = delivery.key.as_deref().expect("it has its key").to_owned();
        sorted.entry(key).or_insert_with(Vec::new).push(number(delivery));
        sorted
    })
}

/// What a future gives in time.
pub(super) async fn in_time<D: Driver, T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(D::PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} must end in a time of the driver's own"))
}
