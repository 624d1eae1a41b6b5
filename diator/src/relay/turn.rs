use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::publish::Publisher;
use crate::BoxError;
use crate::join::join;
use crate::outbox::{
    Claim, Cursor, Leased, OutboxRow, OutboxStore, ParkedKey, Place, RelayId, Settlement, Skip, Verdict,
};
use crate::stop::StopSignal;

/// How long one attempt to settle rows may take: a dead connection must not use up the lease.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How many bytes of bodies a turn reads at once, however many messages that is: two such claims are in memory at the same time. The
/// row of each partition that reaches its share is the last one.
const CLAIM_BYTES: u64 = 8 * 1024 * 1024;
/// How long a turn goes on after it has read some of its partitions to the end: new rows of those must wait for the next turn.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// One turn of a relay: it leases partitions, publishes their rows, and gives the partitions back.
///
/// Only the circuits and the waits after refusals outlive a turn; the next turn reads everything else from the database.
pub(super) struct Turn<'a> {
    pub(super) store: &'a dyn OutboxStore,
    pub(super) publisher: &'a mut Publisher,
    pub(super) stop: &'a StopSignal,
    pub(super) batch: u32,
}

/// The result of a turn.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// How many rows the turn has settled.
    pub(super) settled: usize,
    /// How many of the settled rows the broker has acknowledged.
    pub(super) sent: usize,
    /// How many partitions the turn owned.
    pub(super) leased: usize,
    /// Whether delayed messages have got their places.
    pub(super) promoted: bool,
}

impl Turn<'_> {
    /// The result counts even if the turn fails at its end.
    pub(super) async fn take(
        mut self,
        relay: RelayId,
        partitions: u16,
        period: Duration,
    ) -> (Done, Result<(), BoxError>) {
        self.publisher.begin_turn();
        // Counted from before the lease: the database's clock runs from a later moment.
        let lease_end = Instant::now() + period;
        let leased = match in_time(lease_end, self.store.lease(relay, partitions, period)).await {
            Ok(leased) => leased,
            Err(error) => return (Done::default(), Err(error)),
        };
        let mut done = Done { leased: leased.partitions.len(), promoted: leased.promoted, ..Done::default() };
        if leased.partitions.is_empty() {
            return (done, Ok(()));
        }
        let worked = self.work(&leased, lease_end, &mut done).await;
        let released = in_time(lease_end, self.store.release(&leased.partitions)).await;
        (done, worked.and(released))
    }

    /// Publishes the rows of the partitions, until it has read each partition to its end or the lease is nearly over.
    ///
    /// It does three things at the same time: it publishes messages, reads the rows after them, and settles the rows before them.
    /// Rows that commit meanwhile, or that could not be published, wait for a later turn, which reads from the start again.
    async fn work(&mut self, leased: &Leased, lease_end: Instant, done: &mut Done) -> Result<(), BoxError> {
        let store = self.store;
        // A call to the broker that begins before this has ended when the lease ends.
        let until = lease_end - self.publisher.deadline - self.publisher.deadline / 8;
        let mut pass = Pass::new(leased, self.batch / 2);
        let mut unsettled = Vec::new();
        let mut skip = Skip::default();
        self.add_to(&mut skip, &leased.parked);
        let mut rows = in_time(lease_end, pass.claim(store, &skip)).await?;
        let begun = Instant::now();
        while !rows.is_empty() && !self.is_over(until) {
            self.add_to(&mut skip, &leased.parked);
            let waves = self.publisher.plan(rows);
            let publishing = self.publisher.publish(waves, until, self.stop);
            // The rest of the lease is for settling the sent rows.
            let reading = in_time(until, pass.claim(store, &skip));
            let (verdicts, read, settled) = join(publishing, reading, settle(store, &unsettled, lease_end)).await;
            if settled.is_ok() {
                done.count(&unsettled);
                unsettled.clear();
            }
            unsettled.extend(verdicts.into_iter().map(|(place, verdict)| pass.settlement(place, verdict)));
            rows = match settled.and(read) {
                Ok(next) => next,
                Err(error) => {
                    // A row that is sent and not settled is sent twice, so it is settled even if the claim fails.
                    settle(store, &unsettled, lease_end).await?;
                    done.count(&unsettled);
                    return Err(error);
                }
            };
            if pass.has_exhausted() && begun.elapsed() > LONGEST_REST {
                break;
            }
        }
        settle(store, &unsettled, lease_end).await?;
        done.count(&unsettled);
        Ok(())
    }

    fn is_over(&self, until: Instant) -> bool {
        let now = Instant::now();
        now >= until || self.stop.until().is_some_and(|end| now >= end)
    }

    /// Adds the rows that cannot be published now.
    ///
    /// The turn leaves out a route or key until its end, even if it could be published by then: the cursor has passed earlier messages
    /// of the key, and a later one must not overtake them.
    fn add_to(&mut self, skip: &mut Skip, parked: &[ParkedKey]) {
        for (route, destination) in self.publisher.circuits.skipped_routes(Instant::now()) {
            self.publisher.shut.insert(destination);
            if !skip.routes.contains(&route) {
                skip.routes.push(route);
            }
        }
        skip.keys = parked.iter().chain(&self.publisher.held).cloned().collect();
    }
}

/// Settles rows, and tries again while the lease lasts: a row that is sent and not settled is sent twice.
async fn settle(store: &dyn OutboxStore, settlements: &[Settlement], lease_end: Instant) -> Result<(), BoxError> {
    if settlements.is_empty() {
        return Ok(());
    }
    let mut pause = Duration::from_millis(20);
    loop {
        let attempt_end = lease_end.min(Instant::now() + ATTEMPT);
        match in_time(attempt_end, store.settle(settlements)).await {
            Err(error) if Instant::now() + pause >= lease_end => return Err(error),
            Err(_) => sleep(pause).await,
            Ok(()) => return Ok(()),
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Gives up on a store that does not answer.
async fn in_time<T>(end: Instant, call: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    timeout_at(end, call).await.unwrap_or_else(|_| Err("the store did not answer in time".into()))
}

impl Done {
    fn count(&mut self, settlements: &[Settlement]) {
        self.settled += settlements.len();
        self.sent += settlements.iter().filter(|settlement| settlement.verdict == Verdict::Sent).count();
    }
}

/// The places up to which a turn has read its partitions.
struct Pass {
    horizon: Option<String>,
    cursors: Vec<Cursor>,
    /// Partitions that are read to their end: the last claim found fewer rows there than it asked for.
    exhausted: Vec<bool>,
    rows: u32,
}

impl Pass {
    fn new(leased: &Leased, rows: u32) -> Self {
        let cursors: Vec<_> = leased.partitions.iter().map(|&lease| Cursor { lease, after: None }).collect();
        let horizon = leased.horizon.clone();
        Self { horizon, exhausted: vec![false; cursors.len()], cursors, rows: rows.max(1) }
    }

    /// Reads on in the partitions that are not at their end; an empty answer means that all of them are.
    async fn claim(&mut self, store: &dyn OutboxStore, skip: &Skip) -> Result<Vec<OutboxRow>, BoxError> {
        let most = usize::try_from(self.rows).unwrap_or(usize::MAX);
        loop {
            let active = (0..self.cursors.len()).filter(|&place| !self.exhausted[place]);
            let places: Vec<_> = active.take(most).collect();
            if places.is_empty() {
                return Ok(Vec::new());
            }
            let each = (self.rows / u32::try_from(places.len()).unwrap_or(u32::MAX)).max(1);
            let max_bytes = CLAIM_BYTES / places.len() as u64;
            let cursors: Vec<_> = places.iter().map(|&place| self.cursors[place]).collect();
            let horizon = self.horizon.as_deref();
            let rows = store.claim(Claim { cursors: &cursors, limit: each, max_bytes, skip, horizon }).await?;
            for place in places {
                self.advance(place, &rows, each, max_bytes);
            }
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// Whether some partitions are read to their end.
    fn has_exhausted(&self) -> bool {
        self.exhausted.contains(&true)
    }

    fn advance(&mut self, place: usize, rows: &[OutboxRow], each: u32, max_bytes: u64) {
        let cursor = &mut self.cursors[place];
        let (mut count, mut bytes, mut last) = (0, 0, None);
        for row in rows.iter().filter(|row| row.place.partition == cursor.lease.partition) {
            count += 1;
            bytes += row.message.body.len() as u64;
            last = last.max(Some(row.place.seq));
        }
        self.exhausted[place] = count < each && bytes < max_bytes;
        cursor.after = last.or(cursor.after);
    }

    /// The settlement of a row, with the epoch that fences it.
    fn settlement(&self, place: Place, verdict: Verdict) -> Settlement {
        let cursor = self.cursors.iter().find(|cursor| cursor.lease.partition == place.partition);
        Settlement { place, epoch: cursor.map_or(i64::MIN, |cursor| cursor.lease.epoch), verdict }
    }
}
