//! Where the process ends by itself, as `kill -9` would end it; all of it wraps public traits.

use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use diator::container::{DependencyKey, Scope};
use diator::outbox::{
    Claim, Leased, LeasedPartition, Outbox, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement, StagedMessage,
};
use diator::{BoxError, Meta, async_trait};
use diator_faults::die;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The rows are written, and nothing is committed.
    Staged,
    /// It is committed, and nobody was told.
    Committed,
    /// Rows were read, and nothing was published.
    Claimed,
    /// The first half of a batch is with the broker.
    MidPublish,
    /// All of it is with the broker, and not noted.
    Published,
    /// The statement that notes it is on its way.
    MidSettle,
    /// Half of it is noted.
    HalfSettled,
}

pub(crate) type FailPoint = diator_faults::FailPoint<Point>;

impl FromStr for Point {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        Ok(match text {
            "staged" => Self::Staged,
            "committed" => Self::Committed,
            "claimed" => Self::Claimed,
            "mid-publish" => Self::MidPublish,
            "published" => Self::Published,
            "mid-settle" => Self::MidSettle,
            "half-settled" => Self::HalfSettled,
            _ => return Err("there is no such fail point".into()),
        })
    }
}

/// An outbox whose process ends after it has staged, or after the commit.
pub(crate) struct FailingOutbox<O> {
    pub(crate) inner: O,
    pub(crate) staged: Option<FailPoint>,
    pub(crate) committed: Option<FailPoint>,
    /// How long it waits at most before the commit.
    pub(crate) pause: Duration,
}

#[async_trait]
impl<O: Outbox> Outbox for FailingOutbox<O> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        self.inner.unit_of_work()
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        self.inner.stage(scope, meta, messages).await?;
        if !self.pause.is_zero() {
            let share = messages.first().map_or(0, |staged| staged.message.id.as_u128() % 16);
            tokio::time::sleep(self.pause * share as u32 / 16).await;
        }
        self.staged.iter().for_each(FailPoint::pass);
        Ok(())
    }

    fn committed(&self) {
        self.committed.iter().for_each(FailPoint::pass);
        self.inner.committed();
    }
}

/// A store whose process ends after it has read rows, or while it notes what became of them.
pub(crate) struct FailingStore<S> {
    pub(crate) inner: S,
    pub(crate) claimed: Option<FailPoint>,
    pub(crate) mid_settle: Option<FailPoint>,
    pub(crate) half_settled: Option<FailPoint>,
}

/// At which of its waits the statement is left, in turns: for a connection, for its test, for the answer.
static WAITS: AtomicU32 = AtomicU32::new(0);

#[async_trait]
impl<S: OutboxStore> OutboxStore for FailingStore<S> {
    async fn check(&self) -> Result<(), BoxError> {
        self.inner.check().await
    }

    async fn lease(&self, relay: RelayId, partitions: u16, period: Duration) -> Result<Leased, BoxError> {
        self.inner.lease(relay, partitions, period).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
        let rows = self.inner.claim(claim).await?;
        if !rows.is_empty() {
            self.claimed.iter().for_each(FailPoint::pass);
        }
        Ok(rows)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError> {
        if self.half_settled.as_ref().is_some_and(FailPoint::is_reached) {
            self.inner.settle(&settlements[..settlements.len() / 2]).await?;
            die();
        }
        if !self.mid_settle.as_ref().is_some_and(FailPoint::is_reached) {
            return self.inner.settle(settlements).await;
        }
        let mut settling = pin!(self.inner.settle(settlements));
        let mut waits = WAITS.fetch_add(1, Ordering::Relaxed) + std::process::id() % 3;
        poll_fn(|cx| match settling.as_mut().poll(cx) {
            Poll::Pending if waits > 0 => {
                waits -= 1;
                Poll::Pending
            }
            // What was written to the connection is with the system by now.
            _ => die(),
        })
        .await
    }

    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
        self.inner.release(partitions).await
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        self.inner.oldest().await
    }

    async fn status(&self) -> Result<OutboxStatus, BoxError> {
        self.inner.status().await
    }

    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
        self.inner.replay(since, topic).await
    }

    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError> {
        self.inner.prune(relay, retention, limit).await
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }
}
