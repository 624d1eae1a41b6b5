use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{
    Claim, Cursor, DeadLetter, DeadLetterFilter, DeadLetters, Leased, LeasedPartition, Outbox, OutboxRow, OutboxStatus,
    OutboxStore, ParkedKey, Place, RelayId, SchemaState, Settlement, Skip, SkippedRoute, StagedMessage, StoreSchema,
    Verdict, partition_of,
};
use crate::broker::OutboundMessage;
use crate::container::{CommitError, DependencyKey, Savepoints, Scope, UnitOfWork};
use crate::{BoxError, Meta, Services};

/// An outbox in memory, for tests and for events that may get lost.
///
/// # Guarantees
///
/// - It keeps the contracts of [`Outbox`], [`OutboxStore`], [`DeadLetters`] and [`StoreSchema`], with one exception: **its messages
///   are lost when the process ends**.
/// - Clones share the messages.
/// - It reads tokio's clock, so that a test with a paused clock can end leases and delays.
///
/// # Example
///
/// ```
/// use diator::outbox::InMemoryOutbox;
/// use diator::prelude::*;
///
/// #[derive(Debug, serde::Serialize, NotificationEvent)]
/// struct UserJoined { user_id: u64 }
///
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let outbox = InMemoryOutbox::new();
/// let mediator = Mediator::builder()
///     .handlers(handlers![Handle])
///     .container(outbox.services())
///     .broker(InMemoryBroker::new())
///     .outbox(outbox.clone())
///     .build()?;
/// mediator.emit(UserJoined { user_id: 7 }).await?;
/// assert_eq!(outbox.pending()[0].name, "UserJoined");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct InMemoryOutbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    committed: Notify,
}

#[derive(Default)]
struct State {
    /// All rows by their number, in every state.
    rows: BTreeMap<i64, Row>,
    /// The pending rows, by partition and number.
    pending: BTreeSet<(u16, i64)>,
    scheduled: Vec<(Instant, OutboundMessage)>,
    leases: HashMap<u16, Lease>,
    cleaner: Option<(RelayId, Instant)>,
    last_seq: i64,
    last_dead: i64,
    last_lease: u64,
}

struct Row {
    partition: u16,
    message: OutboundMessage,
    attempts: u32,
    written: Instant,
    /// The first epoch that may publish it: later than that of its last replay.
    from_epoch: i64,
    status: Status,
}

enum Status {
    Pending,
    Sent(Instant),
    Dead { id: i64, reason: String, at: SystemTime, parks_key: bool },
}

#[derive(Default)]
struct Lease {
    epoch: i64,
    until: Option<Instant>,
    /// The number of the lease in the outbox: the partition that was owned longest ago comes first.
    number: u64,
}

impl InMemoryOutbox {
    /// Makes an empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers an [`InMemoryTransaction`] for each message, as its unit of work.
    ///
    /// The program's container must have it: `.container(outbox.services())`.
    #[must_use]
    #[track_caller]
    pub fn services(&self) -> Services {
        let outbox = self.clone();
        Services::new().unit_of_work_sync(move |_| Ok(InMemoryTransaction::new(outbox.clone())))
    }

    /// Lists the messages that wait for a relay, oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<OutboundMessage> {
        let state = self.lock();
        let pending = state.rows.values().filter(|row| matches!(row.status, Status::Pending));
        pending.map(|row| row.message.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for InMemoryOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryOutbox").field("rows", &self.lock().rows.len()).finish_non_exhaustive()
    }
}

/// The unit of work of an [`InMemoryOutbox`]: its commit stores the messages.
pub struct InMemoryTransaction {
    outbox: InMemoryOutbox,
    staged: Mutex<Vec<StagedMessage>>,
}

impl InMemoryTransaction {
    /// Makes a transaction without messages.
    ///
    /// [`InMemoryOutbox::services`] registers it with the built-in container.
    #[must_use]
    pub fn new(outbox: InMemoryOutbox) -> Self {
        Self { outbox, staged: Mutex::default() }
    }

    fn staged(&self) -> MutexGuard<'_, Vec<StagedMessage>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for InMemoryTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryTransaction").field("staged", &self.staged().len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl UnitOfWork for InMemoryTransaction {
    async fn commit(&self) -> Result<(), CommitError> {
        let staged = mem::take(&mut *self.staged());
        let mut state = self.outbox.lock();
        for message in staged {
            state.write(message);
        }
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.staged().clear();
        Ok(())
    }

    fn savepoints(&self) -> Option<&dyn Savepoints> {
        Some(self)
    }
}

/// The mediator stages messages when all nested requests have ended, so a savepoint has nothing to undo.
#[async_trait]
impl Savepoints for InMemoryTransaction {
    async fn set(&self, _: &str) -> Result<(), BoxError> {
        Ok(())
    }

    async fn roll_back_to(&self, _: &str) -> Result<(), BoxError> {
        Ok(())
    }

    async fn release(&self, _: &str) -> Result<(), BoxError> {
        Ok(())
    }
}

#[async_trait]
impl Outbox for InMemoryOutbox {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<InMemoryTransaction>())
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        let transaction = scope.get::<InMemoryTransaction>(meta).await?;
        transaction.staged().extend_from_slice(messages);
        Ok(())
    }

    fn committed(&self) {
        self.0.committed.notify_one();
    }
}

#[async_trait]
impl OutboxStore for InMemoryOutbox {
    async fn lease(&self, _: RelayId, most: u16, period: Duration) -> Result<Leased, BoxError> {
        let mut state = self.lock();
        let now = Instant::now();
        let promoted = state.promote(now);
        let parked = state.parked();
        let waiting: HashSet<_> = state.waiting(&parked).map(|row| row.partition).collect();
        let mut due: Vec<_> = waiting.into_iter().filter(|partition| state.is_free(*partition, now)).collect();
        due.sort_by_key(|partition| (state.leases.get(partition).map_or(0, |lease| lease.number), *partition));
        due.truncate(most.into());
        let partitions = due.into_iter().map(|partition| state.own(partition, now + period)).collect();
        // Rows get their numbers at the commit, so no horizon is needed.
        Ok(Leased { partitions, parked: parked.into_iter().collect(), horizon: None, promoted })
    }

    async fn claim(
        &self,
        Claim { cursors, limit, max_bytes, skip, .. }: Claim<'_>,
    ) -> Result<Vec<OutboxRow>, BoxError> {
        let state = self.lock();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let claim = |cursor: &Cursor| {
            let Cursor { lease: LeasedPartition { partition, epoch }, after } = *cursor;
            let owned = state.leases.get(&partition).is_some_and(|lease| lease.epoch == epoch);
            let from = after.map_or(0, |seq| seq + 1);
            let pending = state.pending.range((partition, from)..=(partition, i64::MAX)).filter(|_| owned);
            let rows = pending.filter_map(|(_, seq)| Some((seq, state.rows.get(seq)?)));
            let rows = rows.filter(|(_, row)| row.from_epoch <= epoch && !row.is_skipped(skip));
            let mut bytes = 0;
            let rows = rows.take(limit).take_while(|(_, row)| {
                let is_let_in = bytes < max_bytes.max(1);
                bytes += row.message.body.len() as u64;
                is_let_in
            });
            rows.map(|(seq, row)| row.claimed(*seq)).collect::<Vec<_>>()
        };
        Ok(cursors.iter().flat_map(claim).collect())
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError> {
        let mut state = self.lock();
        settlements.iter().for_each(|settlement| state.settle(settlement));
        Ok(())
    }

    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
        let mut state = self.lock();
        for LeasedPartition { partition, epoch } in partitions {
            if let Some(lease) = state.leases.get_mut(partition).filter(|lease| lease.epoch == *epoch) {
                lease.until = None;
            }
        }
        Ok(())
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        let state = self.lock();
        let parked = state.parked();
        Ok(state.oldest(&parked))
    }

    async fn status(&self) -> Result<OutboxStatus, BoxError> {
        let state = self.lock();
        let parked = state.parked();
        let count = |is: fn(&Status) -> bool| state.rows.values().filter(|row| is(&row.status)).count() as u64;
        let pending = count(|status| matches!(status, Status::Pending));
        Ok(OutboxStatus {
            pending,
            parked: pending - state.waiting(&parked).count() as u64,
            scheduled: state.scheduled.len() as u64,
            sent: count(|status| matches!(status, Status::Sent(_))),
            dead: count(|status| matches!(status, Status::Dead { .. })),
            oldest_seconds: state.oldest(&parked).map(|age| age.as_secs_f64()),
        })
    }

    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
        let mut state = self.lock();
        let sent = |row: &Row| matches!(row.status, Status::Sent(at) if time_of(at) >= since);
        let goes_there = |row: &Row| topic.is_none() || row.message.topic.as_deref() == topic;
        let rows = state.rows.iter().filter(|(_, row)| sent(row) && goes_there(row));
        let seqs: Vec<_> = rows.map(|(seq, _)| *seq).collect();
        seqs.iter().for_each(|seq| state.replay(*seq));
        Ok(seqs.len() as u64)
    }

    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError> {
        const PERIOD: Duration = Duration::from_secs(60);
        let mut state = self.lock();
        let now = Instant::now();
        if state.cleaner.is_some_and(|(owner, until)| owner != relay && until > now) {
            return Ok(0);
        }
        state.cleaner = Some((relay, now + PERIOD));
        let old = |row: &Row| matches!(row.status, Status::Sent(at) if now.duration_since(at) > retention);
        let old = state.rows.iter().filter(|(_, row)| old(row)).map(|(seq, _)| *seq);
        let old: Vec<_> = old.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        for seq in &old {
            state.rows.remove(seq);
        }
        Ok(old.len() as u64)
    }

    async fn woken(&self) {
        self.0.committed.notified().await;
    }
}

#[async_trait]
impl DeadLetters for InMemoryOutbox {
    async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, BoxError> {
        Ok(self.lock().dead(filter).into_iter().map(|(_, letter)| letter).collect())
    }

    async fn replay(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        let mut state = self.lock();
        let dead = state.dead(filter);
        dead.iter().for_each(|(seq, _)| state.replay(*seq));
        Ok(dead.len() as u64)
    }

    async fn discard(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        let mut state = self.lock();
        let dead = state.dead(filter);
        for (seq, _) in &dead {
            state.rows.remove(seq);
        }
        Ok(dead.len() as u64)
    }
}

/// An outbox in memory has no tables, so these methods do nothing.
#[async_trait]
impl StoreSchema for InMemoryOutbox {
    fn statements(&self) -> String {
        "-- an outbox in memory has no tables\n".to_owned()
    }

    async fn state(&self) -> Result<SchemaState, BoxError> {
        Ok(SchemaState::Current { version: 1 })
    }

    async fn apply(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl State {
    fn write(&mut self, StagedMessage { message, delay }: StagedMessage) {
        let now = Instant::now();
        match delay {
            Some(delay) => self.scheduled.push((later(now, delay), message)),
            None => self.append(message, now),
        }
    }

    fn append(&mut self, message: OutboundMessage, written: Instant) {
        self.last_seq += 1;
        let partition = partition_of(&message);
        let row = Row { partition, message, attempts: 0, written, from_epoch: 0, status: Status::Pending };
        self.rows.insert(self.last_seq, row);
        self.pending.insert((partition, self.last_seq));
    }

    /// Gives a row back to the owners of its partition that come after this one.
    fn replay(&mut self, seq: i64) {
        let Some(row) = self.rows.get_mut(&seq) else { return };
        let epoch = self.leases.get(&row.partition).map_or(0, |lease| lease.epoch);
        (row.status, row.attempts, row.from_epoch) = (Status::Pending, 0, epoch + 1);
        self.pending.insert((row.partition, seq));
    }

    /// Gives places to the messages whose delay is over.
    fn promote(&mut self, now: Instant) -> bool {
        let (mut due, later): (Vec<_>, Vec<_>) =
            mem::take(&mut self.scheduled).into_iter().partition(|(at, _)| *at <= now);
        self.scheduled = later;
        due.sort_by_key(|(at, _)| *at);
        let any = !due.is_empty();
        due.into_iter().for_each(|(_, message)| self.append(message, now));
        any
    }

    fn parked(&self) -> HashSet<ParkedKey> {
        let parks = self.rows.values().filter(|row| matches!(row.status, Status::Dead { parks_key: true, .. }));
        parks.filter_map(|row| ParkedKey::of(&row.message)).collect()
    }

    /// Returns the pending rows that no dead letter holds back.
    fn waiting<'a>(&'a self, parked: &'a HashSet<ParkedKey>) -> impl Iterator<Item = &'a Row> {
        let pending = self.pending.iter().filter_map(|(_, seq)| self.rows.get(seq));
        pending.filter(|row| parked.is_empty() || ParkedKey::of(&row.message).is_none_or(|key| !parked.contains(&key)))
    }

    /// Returns the age of the oldest message that a relay could publish, even if it has no place yet.
    fn oldest(&self, parked: &HashSet<ParkedKey>) -> Option<Duration> {
        let now = Instant::now();
        let due = self.scheduled.iter().map(|(at, _)| *at).filter(|at| *at <= now);
        let written = self.waiting(parked).map(|row| row.written);
        due.chain(written).min().map(|oldest| now.duration_since(oldest))
    }

    /// Whether nobody owns the partition.
    fn is_free(&self, partition: u16, now: Instant) -> bool {
        self.leases.get(&partition).and_then(|lease| lease.until).is_none_or(|until| until <= now)
    }

    fn own(&mut self, partition: u16, until: Instant) -> LeasedPartition {
        self.last_lease += 1;
        let lease = self.leases.entry(partition).or_default();
        lease.epoch += 1;
        lease.number = self.last_lease;
        lease.until = Some(until);
        LeasedPartition { partition, epoch: lease.epoch }
    }

    fn settle(&mut self, Settlement { place, epoch, verdict }: &Settlement) {
        let owns = self.leases.get(&place.partition).is_some_and(|lease| lease.epoch == *epoch);
        let Some(row) = self.rows.get_mut(&place.seq).filter(|row| row.from_epoch <= *epoch) else { return };
        let status = match (&row.status, verdict) {
            (Status::Pending, Verdict::Sent) => Status::Sent(Instant::now()),
            (Status::Pending, Verdict::Refused { attempts }) if owns => {
                row.attempts = row.attempts.max(*attempts);
                return;
            }
            (Status::Pending, Verdict::Dead { reason, parks_key }) if owns => {
                self.last_dead += 1;
                row.attempts += 1;
                let (id, reason, at) = (self.last_dead, reason.clone(), SystemTime::now());
                Status::Dead { id, reason, at, parks_key: *parks_key }
            }
            _ => return,
        };
        row.status = status;
        self.pending.remove(&(row.partition, place.seq));
    }

    fn dead(&self, filter: &DeadLetterFilter) -> Vec<(i64, DeadLetter)> {
        let letter = |(seq, row): (&i64, &Row)| {
            let Status::Dead { id, reason, at, parks_key } = &row.status else { return None };
            let letter = DeadLetter::new(*id, Ok(row.message.clone()), reason, *at);
            let letter = DeadLetter { attempts: row.attempts, parks_key: *parks_key, ..letter };
            filter.takes(&letter).then_some((*seq, letter))
        };
        let mut dead: Vec<_> = self.rows.iter().filter_map(letter).collect();
        dead.sort_by_key(|(_, letter)| letter.id);
        dead.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        dead
    }
}

impl Row {
    fn is_skipped(&self, skip: &Skip) -> bool {
        let key = ParkedKey::of(&self.message);
        key.is_some_and(|key| skip.keys.contains(&key)) || skip.routes.contains(&SkippedRoute::of(&self.message))
    }

    fn claimed(&self, seq: i64) -> OutboxRow {
        let place = Place { partition: self.partition, seq };
        OutboxRow { place, attempts: self.attempts, message: self.message.clone() }
    }
}

/// Adds a duration to a moment; the result is far away if the clock has no such moment.
fn later(moment: Instant, time: Duration) -> Instant {
    moment.checked_add(time).unwrap_or_else(|| moment + Duration::from_secs(100 * 365 * 24 * 3_600))
}

/// Converts a moment of tokio's clock to a time of day.
fn time_of(at: Instant) -> SystemTime {
    SystemTime::now() - at.elapsed()
}
