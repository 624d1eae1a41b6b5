use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::circuit::jittered;
use super::publish::Publisher;
use super::turn::{Done, Turn};
use super::{Relay, RelayMonitor, Settings};
use crate::BoxError;
use crate::broker::MessageBroker;
use crate::outbox::{OutboxStore, PARTITIONS, RelayId};
use crate::race::either;
use crate::stop::StopSignal;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the relay asks whether it is the cleaner.
const CLEANING: Duration = Duration::from_secs(60);
const CLEANED_AT_ONCE: u32 = 1_000;
/// How long publishing waits for a cleaning.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest pause after a turn that could publish nothing, so that commits do not wake the relay in vain all the time.
const BREATH: Duration = Duration::from_millis(50);
const LONGEST_BREATH: Duration = Duration::from_millis(500);

/// A relay at work.
pub(super) struct Running {
    store: Arc<dyn OutboxStore>,
    publisher: Publisher,
    settings: Settings,
    monitor: RelayMonitor,
    stop: StopSignal,
    id: RelayId,
    /// Whether the store's check has succeeded since the last failure.
    is_checked: bool,
    /// How many partitions in a row had no message that could be published.
    idle_partitions: usize,
    /// How long the relay ignores commits after a turn that could publish nothing; it doubles.
    breath: Duration,
    /// How many turns have failed in a row.
    failures: u32,
    next_cleaning: Instant,
    random: (RandomState, u64),
}

impl Running {
    pub(super) fn new(relay: &Relay, broker: Arc<dyn MessageBroker>, stop: StopSignal) -> Self {
        let mut running = Self {
            store: relay.store.clone(),
            publisher: Publisher::new(broker, &relay.settings),
            settings: relay.settings,
            monitor: relay.monitor.clone(),
            stop,
            id: RelayId(Uuid::now_v7()),
            is_checked: false,
            idle_partitions: 0,
            breath: BREATH,
            failures: 0,
            next_cleaning: Instant::now(),
            random: (RandomState::new(), 0),
        };
        let pause = running.jittered(CLEANING);
        running.next_cleaning += pause;
        running
    }

    pub(super) async fn run(mut self) {
        loop {
            let end = self.stop.until();
            if end.is_some_and(|end| Instant::now() >= end) {
                return;
            }
            let (done, turn) = self.turn().await;
            self.monitor.note(&done, turn.as_ref().err(), &self.publisher.circuits);
            let goes_on = self.goes_on(&done);
            self.clean_in_time().await;
            match turn {
                Ok(()) if goes_on => {}
                // The broker does not take the rest.
                Ok(()) if end.is_some() => return,
                // The rest may be published when the store answers again.
                Err(_) if end.is_some() => sleep(FIRST_PAUSE).await,
                Ok(()) => self.wait(&done).await,
                Err(error) => self.wait_for_store(&error).await,
            }
        }
    }

    /// Whether the next turn should begin at once.
    fn goes_on(&mut self, done: &Done) -> bool {
        if done.settled > 0 || done.promoted {
            (self.idle_partitions, self.breath) = (0, BREATH);
            return true;
        }
        // Messages that cannot be published must not hold back those of other partitions, so each partition gets its turn.
        self.idle_partitions += done.leased;
        let has_others = done.leased == usize::from(self.settings.partitions);
        let goes_on = has_others && self.idle_partitions < usize::from(PARTITIONS);
        if !goes_on {
            self.idle_partitions = 0;
        }
        goes_on
    }

    async fn turn(&mut self) -> (Done, Result<(), BoxError>) {
        let Settings { batch, partitions, lease, .. } = self.settings;
        if !self.is_checked {
            // The database may not have been there when the relay was prepared.
            match timeout(lease, self.store.check()).await {
                Ok(Ok(())) => self.is_checked = true,
                Ok(Err(error)) => return (Done::default(), Err(error)),
                Err(_) => return (Done::default(), Err("the store did not answer its check in time".into())),
            }
        }
        let turn = Turn { store: &*self.store, publisher: &mut self.publisher, stop: &self.stop, batch };
        let (done, ended) = turn.take(self.id, partitions, lease).await;
        if ended.is_err() {
            self.is_checked = false;
        } else if self.failures > 0 {
            tracing::info!(target: "diator", "the relay can use its store again");
            self.failures = 0;
        }
        (done, ended)
    }

    /// Waits until a message may have come that can be published.
    async fn wait(&mut self, done: &Done) {
        let now = Instant::now();
        let look = now + self.jittered(self.settings.poll);
        if done.leased > 0 {
            self.pause_until(now + self.breath).await;
            self.breath = (self.breath * 2).min(LONGEST_BREATH);
        }
        let next = self.publisher.next_trial(now).map_or(look, |trial| trial.min(look));
        self.pause_or_woken(next).await;
    }

    async fn wait_for_store(&mut self, error: &BoxError) {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            tracing::warn!(target: "diator", error = &**error as &dyn std::error::Error, "the relay cannot use its store; it tries again");
        }
        let doublings = (self.failures - 1).min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        let pause = self.jittered(pause);
        self.pause_until(Instant::now() + pause).await;
    }

    async fn pause_until(&self, moment: Instant) {
        either(self.stop.given(), sleep_until(moment)).await;
    }

    async fn pause_or_woken(&self, moment: Instant) {
        either(self.stop.given(), either(self.store.woken(), sleep_until(moment))).await;
    }

    /// Deletes old sent messages, if it is time and no other relay does it.
    async fn clean_in_time(&mut self) {
        if Instant::now() < self.next_cleaning || self.stop.until().is_some() {
            return;
        }
        let until = Instant::now() + Duration::from_secs(1);
        let pruned = loop {
            let pruning = self.store.prune(self.id, self.settings.replay_window, CLEANED_AT_ONCE);
            let pruning = timeout(PATIENCE, pruning).await;
            match pruning.unwrap_or_else(|_| Err("the store did not answer in time".into())) {
                Ok(pruned) if pruned == u64::from(CLEANED_AT_ONCE) && Instant::now() < until => {}
                pruned => break pruned,
            }
        };
        if let Err(error) = &pruned {
            tracing::warn!(target: "diator", error = &**error as &dyn std::error::Error, "the relay could not delete old sent messages");
        }
        // There may be more old messages.
        let is_behind = pruned.is_ok_and(|pruned| pruned == u64::from(CLEANED_AT_ONCE));
        let pause = if is_behind { Duration::from_secs(1) } else { CLEANING };
        self.next_cleaning = Instant::now() + self.jittered(pause);
    }

    fn jittered(&mut self, pause: Duration) -> Duration {
        self.random.1 += 1;
        jittered(pause, self.random.0.hash_one(self.random.1))
    }
}
