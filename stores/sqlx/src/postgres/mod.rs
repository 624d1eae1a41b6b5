//! PostgreSQL.

mod claim;
mod dead_letters;
mod lease;
mod prune;
mod row;
mod schema;
mod settle;
mod stage;
mod status;
mod wake;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use diator::outbox::{Claim, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement};
use diator::{BoxError, async_trait};
use sqlx::Postgres;

use crate::store::{Messages, Prefix, Sealed, Shared, SqlxStore, Statement, Wake};

impl Sealed for Postgres {
    const HAS_SCHEMAS: bool = true;
    type Sql = Sql;

    fn sql(prefix: &Prefix) -> Sql {
        Sql::new(prefix)
    }

    fn stage<'a>(shared: &Shared<Self>, messages: Messages<'a>) -> Vec<Statement<'a>> {
        stage::statements(shared, messages)
    }

    fn committed(shared: &Arc<Shared<Self>>) {
        wake::committed(shared);
    }
}

/// The texts of all statements, with the names of the tables in them.
#[derive(Clone, Debug)]
pub struct Sql {
    stage: stage::Sql,
    lease: Arc<str>,
    claim: Arc<str>,
    settle_sent: Arc<str>,
    settle: Arc<str>,
    release: Arc<str>,
    oldest: Arc<str>,
    status: Arc<str>,
    replay: Arc<str>,
    prune: Arc<str>,
    dead_letters: dead_letters::Sql,
    version: Arc<str>,
    channel: Arc<str>,
}

impl Sql {
    fn new(prefix: &Prefix) -> Self {
        Self {
            stage: stage::Sql::new(prefix),
            lease: prefix.fill(lease::LEASE),
            claim: prefix.fill(&claim::claim()),
            settle_sent: prefix.fill(settle::SENT),
            settle: prefix.fill(&settle::settle()),
            release: prefix.fill(lease::RELEASE),
            oldest: prefix.fill(status::OLDEST),
            status: prefix.fill(status::STATUS),
            replay: prefix.fill(status::REPLAY),
            prune: prefix.fill(prune::PRUNE),
            dead_letters: dead_letters::Sql::new(prefix),
            version: prefix.fill(schema::VERSION),
            channel: prefix.fill("{p}outbox"),
        }
    }
}

impl<Tag: Send + Sync + 'static> SqlxStore<Postgres, Tag> {
    /// Whether other processes are told of commits with `NOTIFY`, and whether a relay listens to it; they are by default, which `true` says too.
    ///
    /// Without it a relay of another process finds events when it looks the next time. A connection pooler that gives each
    /// transaction another connection needs `false`.
    #[must_use]
    pub fn notify(mut self, others: bool) -> Self {
        let shared = self.shared_mut();
        shared.wake = Arc::new(Wake::new(others));
        self
    }

    /// Lets units of work that emit events of one key commit one after the other.
    ///
    /// Relays hand the events of a key to the broker in the order of their commits, if the units of work lock a common row before they
    /// commit. Where they lock none, this takes a lock for each key until the commit, which costs one statement. For thousands of keys
    /// in one unit of work, PostgreSQL needs a larger `max_locks_per_transaction`.
    #[must_use]
    pub fn serialise_keys(mut self) -> Self {
        self.shared_mut().serialise_keys = true;
        self
    }
}

#[async_trait]
impl<Tag: Send + Sync + 'static> OutboxStore for SqlxStore<Postgres, Tag> {
    async fn check(&self) -> Result<(), BoxError> {
        schema::check(self.shared()).await
    }

    async fn lease(&self, relay: RelayId, most: u16, period: Duration) -> Result<Leased, BoxError> {
        lease::lease(self.shared(), relay, most, period).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
        claim::claim_rows(self.shared(), claim).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError> {
        settle::settle_rows(self.shared(), settlements).await
    }

    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
        lease::release(self.shared(), partitions).await
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        status::oldest(self.shared()).await
    }

    async fn status(&self) -> Result<OutboxStatus, BoxError> {
        status::status(self.shared()).await
    }

    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
        status::replay(self.shared(), since, topic).await
    }

    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError> {
        prune::prune(self.shared(), relay, retention, limit).await
    }

    async fn woken(&self) {
        wake::woken(self.shared()).await;
    }
}
