mod rows;
mod transaction;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::broker::OutboundMessage;
use crate::container::{DependencyKey, Scope};
use crate::outbox::{
    Claim, Cursor, DeadLetter, DeadLetterFilter, DeadLetters, Leased, LeasedPartition, Outbox, OutboxRow, OutboxStatus,
    OutboxStore, RelayId, SchemaState, Settlement, StagedMessage, StoreSchema,
};
use crate::{BoxError, Meta, Services};

use self::rows::{Row, State, Status, time_of};
pub use self::transaction::InMemoryTransaction;
pub(crate) use self::transaction::Joined;

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

    /// Clones share it.
    fn address(&self) -> String {
        format!("an outbox in memory at {:p}", Arc::as_ptr(&self.0))
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

#[async_trait]
impl Outbox for InMemoryOutbox {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<InMemoryTransaction>())
    }

    fn how_to_register(&self) -> Option<&str> {
        Some("add the outbox's services to the container: `Services::new().extend(outbox.services())`")
    }

    fn place(&self) -> Option<String> {
        Some(self.address())
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
    fn place(&self) -> Option<String> {
        Some(self.address())
    }

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
