//! SQLite.

mod attempts;
mod claim;
mod dead_letters;
mod deliveries;
mod enter;
mod lease;
mod options;
mod prune;
mod row;
mod schema;
mod settle;
mod stage;
mod status;
mod turn;
mod wake;

use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, path};

use diator::deliveries::{AttemptLog, DeliveryStore};
use diator::inbox::Entry;
use diator::outbox::{Claim, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement};
use diator::{BoxError, BoxFuture, async_trait};
use sqlx::Sqlite;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteConnectOptions;

pub use self::options::sqlite_options;
use crate::store::{Messages, Prefix, Sealed, Shared, SqlxAttemptLog, SqlxDeliveries, SqlxStore, Statement, touch};
use crate::transaction::Driver;

impl Sealed for Sqlite {
    const HAS_SCHEMAS: bool = false;
    type Sql = Sql;

    fn sql(prefix: &Prefix) -> Sql {
        Sql::new(prefix)
    }

    fn database(options: &SqliteConnectOptions) -> String {
        let file = options.get_filename();
        // Two pools may name one file in two ways.
        let path = fs::canonicalize(file).or_else(|_| path::absolute(file));
        format!("the file {}", path.as_deref().unwrap_or(file).display())
    }

    fn stage<'a>(shared: &Shared<Self>, messages: Messages<'a>) -> Vec<Statement<'a>> {
        stage::statements(shared, messages)
    }

    fn enter<'a>(shared: &'a Shared<Self>, entry: &Entry<'a>, kept: Duration) -> Statement<'a> {
        enter::statement(shared, entry, kept)
    }

    fn why_not<'a>(shared: &'a Shared<Self>, entry: &Entry<'a>) -> Option<Statement<'a>> {
        enter::reason(shared, entry)
    }

    fn deliveries(shared: Arc<Shared<Self>>, kept: Duration) -> Arc<dyn DeliveryStore> {
        Arc::new(SqlxDeliveries::new(shared, kept))
    }

    fn attempt_log(shared: Arc<Shared<Self>>) -> Arc<dyn AttemptLog> {
        Arc::new(SqlxAttemptLog::new(shared))
    }

    fn is_busy(error: &(dyn DatabaseError + 'static)) -> bool {
        <Self as Driver>::is_transient(error)
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
    lease: lease::Sql,
    claim: Arc<str>,
    settle: settle::Sql,
    release: Arc<str>,
    oldest: Arc<str>,
    status: Arc<str>,
    replay: Arc<str>,
    prune: prune::Sql,
    enter: enter::Sql,
    prune_inbox: Arc<str>,
    deliveries: deliveries::Sql,
    attempts: attempts::Sql,
    prune_attempts: Arc<str>,
    dead_letters: dead_letters::Sql,
    version: Arc<str>,
    touch: Arc<str>,
}

impl Sql {
    fn new(prefix: &Prefix) -> Self {
        Self {
            stage: stage::Sql::new(prefix),
            lease: lease::Sql::new(prefix),
            claim: prefix.fill(&claim::claim()),
            settle: settle::Sql::new(prefix),
            release: prefix.fill(lease::RELEASE),
            oldest: prefix.fill(&status::oldest_text()),
            status: prefix.fill(status::STATUS),
            replay: prefix.fill(&status::replay_text()),
            prune: prune::Sql::new(prefix),
            enter: enter::Sql::new(prefix),
            prune_inbox: prefix.fill(&enter::prune()),
            deliveries: deliveries::Sql::new(prefix),
            attempts: attempts::Sql::new(prefix),
            prune_attempts: prefix.fill(&attempts::prune()),
            dead_letters: dead_letters::Sql::new(prefix),
            version: prefix.fill(schema::VERSION),
            touch: touch(prefix),
        }
    }
}

/// The time in milliseconds; it stands in statements and not in the tables, so that older shells can write there.
const NOW: &str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

/// Rounds a duration up to the milliseconds of the database, so that a short one does not become zero.
fn millis(duration: Duration) -> i64 {
    crate::store::micros(duration.saturating_add(Duration::from_micros(999))) / 1_000
}

#[async_trait]
impl<Tag: Send + Sync + 'static> OutboxStore for SqlxStore<Sqlite, Tag> {
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
        self.shared().wake.relay().notified().await;
    }
}
