use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use diator::container::{DependencyKey, Scope};
use diator::deliveries::{AttemptLog, DeliveryStore};
use diator::inbox::{Entry, Inbox, Seen};
use diator::{BoxError, Meta, async_trait};

use super::comparison::{Comparison, PoolOf};
use super::{Engine, EntersRows, NoTables, Shared, Statement};
use crate::transaction::{NoTurn, is_transient};

pub(super) const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);
/// So far apart may the clocks of a sender and of the database be.
const SKEW: Duration = Duration::from_secs(3_600);

/// The number of an entry that is behind deliveries of its key, which the store keeps.
pub(crate) const BEHIND: i64 = -2;

/// How long an entry is kept.
pub(super) fn kept(retention: Duration) -> Duration {
    retention.saturating_add(retention.min(SKEW))
}

/// Notes in the unit of work `U` of each handler which message it handles.
///
/// [`SqlxStore::inbox`](super::SqlxStore::inbox) and [`SqlxStore::inbox_in`](super::SqlxStore::inbox_in) make it.
///
/// # Guarantees
///
/// - It costs one statement for each handler of a message, in the transaction that the handler has anyway. A handler that writes nothing
///   pays for a transaction too, because the statement begins one. A handler that does not run, as for a message that comes again, may
///   cost a second statement.
/// - **PostgreSQL.** It takes an advisory lock for the entry until the transaction ends. Another transaction with an equal entry gets
///   [`Seen::Busy`] at once, and waits for nothing.
/// - **PostgreSQL.** The server ends a transaction that is idle for one second longer than its handler may take, which is
///   [`max_handling`](diator::endpoint::Endpoint::max_handling): a process that stands still, as after SIGSTOP, keeps its message busy for no
///   longer. A
///   shorter `idle_in_transaction_session_timeout` of the session stays.
/// - **SQLite.** It holds the lock for writing until the handler's transaction ends, **so that handlers run one at a time**, whatever the
///   concurrency of the endpoint is: say `.concurrency(1)`. Another
///   transaction of the store waits in its queue, and gets `Busy` when the pool's `acquire_timeout` is over, which is 30 s by default; one of
///   another process or store waits for the `busy_timeout`.
/// - An entry is kept for the retention and a margin, which is as long again, and one hour at most: the clocks of a sender and of the
///   database may be so far apart. After that the [`Relay`](diator::relay::Relay) of the store deletes it, as one cleaner for all
///   processes. A program without a relay calls [`SqlxStore::prune_inbox`](super::SqlxStore::prune_inbox).
/// - Its [`deliveries`](Inbox::deliveries) and its [`attempt_log`](Inbox::attempt_log) are in the same database:
///   [`SqlxDeliveries`](super::SqlxDeliveries)
///   and [`SqlxAttemptLog`](super::SqlxAttemptLog).
/// - The retention of an entry is that of the program which wrote it.
///
/// # Errors
///
/// If the services come from one store and the inbox from another, both without a tag, handlers fail as
/// [`SendError::Enter`](diator::SendError::Enter), and their messages are tried again.
///
/// # Example
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// use std::time::Duration;
///
/// use diator::Inbox;
/// use diator::container::DependencyKey;
/// use diator_sqlx::{SqlxStore, Transaction};
/// use sqlx::{Sqlite, SqlitePool};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), diator::BoxError> {
/// let store = SqlxStore::new(SqlitePool::connect_lazy("sqlite::memory:")?);
/// let inbox = store.inbox().with_retention(Duration::from_secs(14 * 24 * 3_600));
/// assert_eq!(inbox.unit_of_work(), Some(DependencyKey::of::<Transaction<Sqlite>>()));
/// # Ok(()) }
/// ```
///
/// # Source
///
/// The pattern Idempotent Receiver of G. Hohpe and B. Woolf, "Enterprise Integration Patterns".
pub struct SqlxInbox<DB: Engine, U> {
    shared: Arc<Shared<DB>>,
    comparison: Comparison<DB, U>,
    retention: Duration,
}

impl<DB: Engine, U> SqlxInbox<DB, U> {
    pub(super) fn new(shared: Arc<Shared<DB>>, pool_of: Option<PoolOf<DB, U>>) -> Self {
        Self { shared, comparison: Comparison::new(pool_of), retention: RETENTION }
    }

    /// Sets how long it remembers at least that a message was handled.
    ///
    /// An endpoint makes a dead letter of an older message. So the retention must be longer than a message can be on its way: the longest
    /// delay of an event, an outage, and the engine's own retention.
    ///
    /// # Units
    ///
    /// 7 days by default.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    fn kept(&self) -> Duration {
        kept(self.retention)
    }
}

#[async_trait]
impl<DB: Engine, U: EntersRows> Inbox for SqlxInbox<DB, U> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<U>())
    }

    fn how_to_register(&self) -> Option<&str> {
        self.comparison.how_to_register()
    }

    fn place(&self) -> Option<String> {
        Some(self.shared.place())
    }

    async fn check(&self) -> Result<(), BoxError> {
        DB::check(&self.shared).await
    }

    fn retention(&self) -> Duration {
        self.retention
    }

    async fn enter(&self, scope: &dyn Scope, meta: &Meta, entry: &Entry<'_>) -> Result<Seen, BoxError> {
        let unit = scope.get::<U>(meta).await?;
        self.comparison.compare(&unit, &self.shared, "inbox")?;
        let Statement { sql, values } = DB::enter(&self.shared, entry, self.kept());
        let mut number = unit.fetch(&sql, &values).await;
        if let (Ok(None), Some(Statement { sql, values })) = (&number, DB::why_not(&self.shared, entry)) {
            number = unit.fetch(&sql, &values).await;
        }
        match number {
            Ok(Some(number)) if number > 0 => Ok(Seen::First),
            Ok(Some(BEHIND)) => Ok(Seen::Behind),
            Ok(Some(number)) if number < 0 => Ok(Seen::Busy),
            Ok(_) => Ok(Seen::Before),
            Err(error) if is_busy::<DB>(&*error) => Ok(Seen::Busy),
            Err(error) => Err(NoTables::explain(error, &self.shared.prefix, "inbox")),
        }
    }

    fn is_transient(&self, error: &(dyn Error + 'static)) -> bool {
        is_transient(error)
    }

    fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        Some(DB::deliveries(self.shared.clone(), self.kept()))
    }

    fn attempt_log(&self) -> Option<Arc<dyn AttemptLog>> {
        Some(DB::attempt_log(self.shared.clone()))
    }
}

/// Whether another transaction kept this one from its statement.
fn is_busy<DB: Engine>(error: &(dyn Error + 'static)) -> bool {
    let mut errors = successors(Some(error), |&error| error.source());
    errors.any(|error| {
        let answer = error.downcast_ref().and_then(sqlx::Error::as_database_error);
        error.is::<NoTurn>() || answer.is_some_and(DB::is_busy)
    })
}

impl<DB: Engine, U> fmt::Debug for SqlxInbox<DB, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SqlxInbox");
        shown.field("prefix", &self.shared.prefix.as_str()).field("retention", &self.retention).finish_non_exhaustive()
    }
}
