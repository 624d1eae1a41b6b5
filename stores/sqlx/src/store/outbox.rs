use std::fmt;
use std::sync::Arc;

use diator::container::{DependencyKey, Scope};
use diator::outbox::{Outbox, StagedMessage};
use diator::{BoxError, Meta, async_trait};

use super::comparison::{Comparison, PoolOf};
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
    comparison: Comparison<DB, U>,
}

impl<DB: Engine, U> SqlxOutbox<DB, U> {
    pub(super) fn new(shared: Arc<Shared<DB>>, pool_of: Option<PoolOf<DB, U>>) -> Self {
        Self { shared, comparison: Comparison::new(pool_of) }
    }
}

#[async_trait]
impl<DB: Engine, U: StagesRows> Outbox for SqlxOutbox<DB, U> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<U>())
    }

    fn how_to_register(&self) -> Option<&str> {
        self.comparison.how_to_register()
    }

    fn place(&self) -> Option<String> {
        Some(self.shared.place())
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        let unit = scope.get::<U>(meta).await?;
        self.comparison.compare(&unit, &self.shared, "outbox")?;
        for statement in DB::stage(&self.shared, messages) {
            let executed = unit.execute(&statement.sql, &statement.values).await;
            executed.map_err(|error| NoTables::explain(error, &self.shared.prefix, "outbox"))?;
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
