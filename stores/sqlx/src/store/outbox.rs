use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diator::container::{DependencyKey, Scope};
use diator::outbox::{Outbox, StagedMessage};
use diator::{BoxError, Meta, async_trait};
use sqlx::Pool;

use super::{Engine, NoTables, Shared, StagesRows};

/// Writes events in the unit of work `U` of each message.
///
/// [`SqlxStore::outbox`](super::SqlxStore::outbox) and [`SqlxStore::outbox_in`](super::SqlxStore::outbox_in) make it.
///
/// # Errors
///
/// If the services come from one store and the outbox from another, both without a tag, the first message with events fails as
/// [`SendError::Stage`](diator::SendError::Stage). The outbox compares the addresses of the two databases, and only for a transaction
/// that [`SqlxStore::services`](super::SqlxStore::services) has registered.
///
/// # Example
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// use diator::Outbox;
/// use diator::container::DependencyKey;
/// use diator_sqlx::{SqlxOutbox, SqlxStore, Transaction};
/// use sqlx::{Sqlite, SqlitePool};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), diator::BoxError> {
/// let store = SqlxStore::new(SqlitePool::connect_lazy("sqlite::memory:")?);
/// let outbox: SqlxOutbox<Sqlite, Transaction<Sqlite>> = store.outbox();
/// assert_eq!(outbox.unit_of_work(), Some(DependencyKey::of::<Transaction<Sqlite>>()));
/// # Ok(()) }
/// ```
pub struct SqlxOutbox<DB: Engine, U> {
    shared: Arc<Shared<DB>>,
    /// `None` for a unit of work of the program's own.
    pool_of: Option<PoolOf<DB, U>>,
    /// Whether a transaction was compared with the database of this store.
    is_compared: AtomicBool,
}

/// The pool of a unit of work that a store has registered.
type PoolOf<DB, U> = fn(&U) -> Option<&Pool<DB>>;

impl<DB: Engine, U> SqlxOutbox<DB, U> {
    pub(super) fn new(shared: Arc<Shared<DB>>, pool_of: Option<PoolOf<DB, U>>) -> Self {
        Self { shared, pool_of, is_compared: AtomicBool::new(false) }
    }

    /// Fails if another store without a tag has registered the transaction.
    fn compare(&self, unit: &U) -> Result<(), BoxError> {
        let Some(pool_of) = self.pool_of.filter(|_| !self.is_compared.load(Ordering::Relaxed)) else { return Ok(()) };
        let Some(pool) = pool_of(unit) else { return Ok(()) };
        let [theirs, ours] = [pool, &self.shared.pool].map(|pool| DB::database(&pool.connect_options()));
        if theirs != ours {
            let text = format!(
                "the transaction of the message belongs to {theirs}, and the outbox to {ours}: take the services and the outbox \
                 from one store, and give each store a tag: `SqlxStore::<_, Billing>::tagged(pool)`"
            );
            return Err(text.into());
        }
        self.is_compared.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl<DB: Engine, U: StagesRows> Outbox for SqlxOutbox<DB, U> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<U>())
    }

    fn how_to_register(&self) -> Option<&str> {
        self.pool_of.map(|_| "add the store's services to the container: `Services::new().extend(store.services())`")
    }

    fn place(&self) -> Option<String> {
        Some(self.shared.place())
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        let unit = scope.get::<U>(meta).await?;
        self.compare(&unit)?;
        for statement in DB::stage(&self.shared, messages) {
            let executed = unit.execute(&statement.sql, &statement.values).await;
            executed.map_err(|error| NoTables::explain(error, &self.shared.prefix))?;
        }
        Ok(())
    }

    fn committed(&self) {
        DB::committed(&self.shared);
    }
}

impl<DB: Engine, U> fmt::Debug for SqlxOutbox<DB, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxOutbox").field("prefix", &self.shared.prefix.as_str()).finish_non_exhaustive()
    }
}
