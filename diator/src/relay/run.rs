use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::circuit::jittered;
use super::publish::Publisher;
use super::turn::{Done, Turn};
use super::{Relay, RelayMonitor, Settings};
use crate::BoxError;
use crate::broker::MessageBroker;
use crate::outbox::{LeaseRequest, OutboxStore, PARTITIONS, RelayId};
use crate::race::either;
use crate::stop::StopSignal;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the relay asks whether it is the cleaner.
const CLEANING: Duration = Duration::from_secs(60);
const CLEANED_AT_ONCE: u32 = 1_000;
/// Between two looks, where nothing could go: whoever commits must not make it look all the time.
const BREATH: Duration = Duration::from_millis(50);

/// A relay at work.
pub(super) struct Running {
    store: Arc<dyn OutboxStore>,
    publisher: Publisher,
    settings: Settings,
    monitor: RelayMonitor,
    stop: StopSignal,
    id: RelayId,
    /// The partition that the next turn begins with.
    from: u16,
    /// How many partitions were leased in a row of which nothing could go.
    idle_partitions: usize,
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
            from: 0,
            idle_partitions: 0,
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
            let turn = self.turn().await;
            self.monitor.note(&turn, &self.publisher.circuits);
            let goes_on = turn.as_ref().is_ok_and(|done| self.goes_on(done));
            self.clean_in_time().await;
            match turn {
                _ if goes_on => {}
                // What is left cannot go.
                _ if end.is_some() => return,
                Ok(_) => self.wait().await,
                Err(error) => self.wait_for_store(&error).await,
            }
        }
    }

    /// Whether it is worth to take the next turn at once.
    fn goes_on(&mut self, done: &Done) -> bool {
        let is_idle = done.settled == 0 && !done.promoted;
        // What cannot go in the partitions of this turn must not keep back what can go in others: once around the circle.
        self.idle_partitions = if is_idle { self.idle_partitions + done.leased } else { 0 };
        let has_more = done.leased == usize::from(self.settings.partitions);
        let goes_on = !is_idle || has_more && self.idle_partitions < usize::from(PARTITIONS);
        if !goes_on {
            self.idle_partitions = 0;
        }
        goes_on
    }

    async fn turn(&mut self) -> Result<Done, BoxError> {
        let Settings { batch, partitions, lease, .. } = self.settings;
        let request = LeaseRequest { relay: self.id, from: self.from, most: partitions, period: lease };
        let turn = Turn { store: &*self.store, publisher: &mut self.publisher, stop: &self.stop, batch };
        let done = turn.take(request).await?;
        self.from = done.last.map_or(self.from, |last| (last + 1) % PARTITIONS);
        if self.failures > 0 {
            tracing::info!(target: "diator", "the relay reaches its store again");
            self.failures = 0;
        }
        Ok(done)
    }

    /// Waits until there may be something that can go.
    async fn wait(&mut self) {
        let now = Instant::now();
        let look = now + self.jittered(self.settings.poll);
        match self.publisher.circuits.next_trial(now) {
            Some(trial) => {
                self.pause_until(now + BREATH).await;
                self.pause_or_woken(trial.min(look)).await;
            }
            None => self.pause_or_woken(look).await,
        }
    }

    async fn wait_for_store(&mut self, error: &BoxError) {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            tracing::warn!(target: "diator", error = &**error as &dyn std::error::Error, "the relay cannot reach its store, and tries again");
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

    /// Deletes what was sent long ago, if it is time and no other relay does it.
    async fn clean_in_time(&mut self) {
        if Instant::now() < self.next_cleaning || self.stop.until().is_some() {
            return;
        }
        let until = Instant::now() + Duration::from_secs(1);
        let pruned = loop {
            match self.store.prune(self.id, self.settings.replay_window, CLEANED_AT_ONCE).await {
                Ok(pruned) if pruned == u64::from(CLEANED_AT_ONCE) && Instant::now() < until => {}
                pruned => break pruned,
            }
        };
        if let Err(error) = &pruned {
            tracing::warn!(target: "diator", error = &**error as &dyn std::error::Error, "the relay could not delete what was sent long ago");
        }
        // There may be more of it.
        let is_behind = pruned.is_ok_and(|pruned| pruned == u64::from(CLEANED_AT_ONCE));
        let pause = if is_behind { Duration::from_secs(1) } else { CLEANING };
        self.next_cleaning = Instant::now() + self.jittered(pause);
    }

    fn jittered(&mut self, pause: Duration) -> Duration {
        self.random.1 += 1;
        jittered(pause, self.random.0.hash_one(self.random.1))
    }
}
