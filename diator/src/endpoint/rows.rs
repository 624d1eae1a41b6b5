//! The rows of a delivery store, as a subscription: an endpoint opens it beside that of its engine.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::health::EndpointMonitor;
use super::jitter::Jitter;
use super::leased::{Asked, LeasedRows};
use super::store::Store;
use crate::race::{First, race};
use crate::subscription::{Capabilities, ConsumeError, Opened, Release, Source, Subscription, Taken, Wanted};

/// How often it asks at least.
const POLL: Duration = Duration::from_secs(5);
/// How long it waits at least where a row is due that it did not get: another process is about to.
const CONTENDED: Duration = Duration::from_millis(250);
/// A store that wakes all the time, or fails, is not asked all the time.
const SHORTEST: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What the store of an endpoint keeps for it.
pub(super) struct Rows {
    pub(super) store: Arc<Store>,
    pub(super) monitor: EndpointMonitor,
    /// Whether a dead letter goes on holding its key.
    pub(super) parks: bool,
    /// For how long it leases a row.
    pub(super) lease: Duration,
    pub(super) seed: Option<u64>,
}

impl Rows {
    pub(super) const fn capabilities(lease: Duration) -> Capabilities {
        Capabilities::none()
            .competing()
            .redelivers()
            .counts()
            .retry_counts()
            .releases(Release::Uncounted)
            .locks_for(lease)
            .extends()
            .delayed_retry(Duration::MAX)
            .dead_letters()
            .settles_out_of_order()
            .durable()
    }
}

#[async_trait]
impl Subscription for Rows {
    fn capabilities(&self) -> Capabilities {
        Self::capabilities(self.lease)
    }

    async fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        let Self { store, monitor, parks, lease, seed } = self;
        let rows = Arc::new(LeasedRows::new(store.clone(), monitor.clone(), *parks, *lease));
        let source = RowSource {
            rows: rows.clone(),
            names: [&[wanted.endpoint.to_owned()], wanted.formerly].concat(),
            next: Instant::now(),
            floor: Instant::now(),
            jitter: seed.map_or_else(Jitter::random, Jitter::new),
        };
        Ok(Opened::new(source, rows))
    }
}

struct RowSource {
    rows: Arc<LeasedRows>,
    /// The endpoint's name, and those that it had before: the one that comes first is the first to be asked for.
    names: Vec<String>,
    /// When it asks for rows, unless it hears of one before.
    next: Instant,
    /// When it does so at the earliest, unless a row was waiting for one that is settled now.
    floor: Instant,
    jitter: Jitter,
}

#[async_trait]
impl Source for RowSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        loop {
            if !self.rows.is_asking() {
                if credit == 0 {
                    return pending().await;
                }
                self.due().await;
                self.rows.ask(self.names.clone(), credit);
            }
            let asked = self.rows.asked().await;
            if asked.is_ok() {
                self.rows.monitor.note_lease();
            }
            match asked {
                Ok(Asked::Leased { at, place, leased }) => {
                    self.names.rotate_left(place + 1);
                    // There may be more.
                    self.floor = at + SHORTEST;
                    self.next = if leased.len() < credit { self.floor } else { at };
                    return Ok(Taken::Deliveries(self.rows.deliver(leased, at)));
                }
                Ok(Asked::Nothing { at, next_due }) => {
                    self.floor = at + SHORTEST;
                    let again = next_due.map_or(POLL, |due| due.max(CONTENDED));
                    self.next = Instant::now() + again.min(self.jitter.take_off(POLL));
                }
                Err(error) => {
                    self.rows.monitor.note_failed_call("lease", error);
                    self.floor = Instant::now() + self.jitter.take_off(AFTER_FAILURE);
                    self.next = self.floor;
                }
            }
        }
    }
}

impl RowSource {
    /// Waits until it is time to ask, or a row may have come.
    async fn due(&mut self) {
        let Store { has_put, freed, deliveries, .. } = &*self.rows.store;
        while Instant::now() < self.next {
            let woken = race(freed.notified(), race(has_put.notified(), deliveries.woken()));
            match race(sleep_until(self.next), woken).await {
                First::Left(()) => {}
                First::Right(First::Left(())) => self.next = Instant::now(),
                First::Right(First::Right(_)) => self.next = self.next.min(self.floor),
            }
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("endpoint", &self.monitor.name).finish_non_exhaustive()
    }
}
