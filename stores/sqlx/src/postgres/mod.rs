//! PostgreSQL.

mod attempts;
mod claim;
mod dead_letters;
mod deliveries;
mod enter;
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

use diator::deliveries::{AttemptLog, DeliveryStore};
use diator::inbox::Entry;
use diator::outbox::{Claim, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement};
use diator::{BoxError, BoxFuture, async_trait};
use sqlx::Postgres;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;

use crate::store::{
    Messages, Prefix, Sealed, Shared, SqlxAttemptLog, SqlxDeliveries, SqlxStore, Statement, Wake, touch,
};

impl Sealed for Postgres {
    const HAS_SCHEMAS: bool = true;
    type Sql = Sql;

    fn sql(prefix: &Prefix) -> Sql {
        Sql::new(prefix)
    }

    fn database(options: &PgConnectOptions) -> String {
        let database = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(socket) => format!("the database `{database}` at {}", socket.display()),
            None => format!("the database `{database}` at {}:{}", options.get_host(), options.get_port()),
        }
    }

    fn stage<'a>(shared: &Shared<Self>, messages: Messages<'a>) -> Vec<Statement<'a>> {
        stage::statements(shared, messages)
    }

    fn enter<'a>(shared: &'a Shared<Self>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
        enter::statement(shared, entry, kept)
    }

    fn why_not<'a>(shared: &'a Shared<Self>, entry: &Entry<'a>) -> Option<Statement<'a>> {
        Some(enter::reason(shared, entry))
    }

    fn deliveries(shared: Arc<Shared<Self>>, kept: Duration) -> Arc<dyn DeliveryStore> {
        Arc::new(SqlxDeliveries::new(shared, kept))
    }

    fn attempt_log(shared: Arc<Shared<Self>>) -> Arc<dyn AttemptLog> {
        Arc::new(SqlxAttemptLog::new(shared))
    }

    fn is_busy(error: &(dyn DatabaseError + 'static)) -> bool {
        // Lock not available, if the program has set a `lock_timeout`.
        error.code().as_deref() == Some("55P03")
    }

    fn check(shared: &Shared<Self>) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(schema::check(shared))
    }

    fn prune_inbox(shared: &Arc<Shared<Self>>, limit: u32) -> BoxFuture<'_, Result<u64, BoxError>> {
        Box::pin(enter::prune_rows(shared, limit))
    }

    fn committed(shared: &Arc<Shared<Self>>) {
        wake::committed(shared);
    }
}

/// The texts of all statements, with the names of the tables.
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
    enter: enter::Sql,
    prune_inbox: Arc<str>,
    prune_inbox_as_cleaner: Arc<str>,
    deliveries: deliveries::Sql,
    attempts: attempts::Sql,
    prune_attempts: Arc<str>,
    prune_attempts_as_cleaner: Arc<str>,
    dead_letters: dead_letters::Sql,
    version: Arc<str>,
    touch: Arc<str>,
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
            enter: enter::Sql::new(prefix),
            prune_inbox: prefix.fill(&enter::prune()),
            prune_inbox_as_cleaner: prefix.fill(&enter::prune_as_cleaner()),
            deliveries: deliveries::Sql::new(prefix),
            attempts: attempts::Sql::new(prefix),
            prune_attempts: prefix.fill(&attempts::prune()),
            prune_attempts_as_cleaner: prefix.fill(&attempts::prune_as_cleaner()),
            dead_letters: dead_letters::Sql::new(prefix),
            version: prefix.fill(schema::VERSION),
            touch: touch(prefix),
            channel: prefix.fill("{p}outbox"),
        }
    }
}

impl<Tag: Send + Sync + 'static> SqlxStore<Postgres, Tag> {
    /// Sets whether processes notify each other of commits.
    ///
    /// It uses `NOTIFY` after the commit, and `LISTEN` on a connection beside the pool. The default is `true`. With `false` a relay of
    /// another process finds events at its next poll. Behind a connection pooler that gives each transaction another connection, such
    /// as `PgBouncer` in its mode `transaction`, the program must call `notify(false)`.
    #[must_use]
    pub fn notify(mut self, others: bool) -> Self {
        let shared = self.shared_mut();
        shared.wake = Arc::new(Wake::new(others));
        self
    }

    /// Makes units of work with events of the same key commit one after the other.
    ///
    /// A relay publishes the events of a key in the order of the commits only if the units of work lock a common row first. A program
    /// without such a row calls this method: the outbox then takes a lock for each key, and holds it until the commit. That costs one
    /// statement for each unit of work. For thousands of keys in one unit of work, PostgreSQL needs a larger
    /// `max_locks_per_transaction`.
    #[must_use]
    pub fn serialise_keys(mut self) -> Self {
        self.shared_mut().serialise_keys = true;
        self
    }
}

#[async_trait]
impl<Tag: Send + Sync + 'static> OutboxStore for SqlxStore<Postgres, Tag> {
    fn place(&self) -> Option<String> {
        Some(self.shared().place())
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        // The store's own method, not this one.
        Some(Arc::new(Self::deliveries(self)))
    }

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
