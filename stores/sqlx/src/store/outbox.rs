use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use diator::container::{DependencyKey, Scope};
use diator::outbox::{Outbox, StagedMessage};
use diator::{BoxError, Meta, async_trait};

use super::{Engine, NoTables, Shared, StagesRows};

/// Writes events in the unit of work `U` of each message.
///
/// [`SqlxStore::outbox`](super::SqlxStore::outbox) and [`SqlxStore::outbox_in`](super::SqlxStore::outbox_in) make it.
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
    unit: PhantomData<fn() -> U>,
}

impl<DB: Engine, U> SqlxOutbox<DB, U> {
    pub(super) fn new(shared: Arc<Shared<DB>>) -> Self {
        Self { shared, unit: PhantomData }
    }
}

#[async_trait]
impl<DB: Engine, U: StagesRows> Outbox for SqlxOutbox<DB, U> {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<U>())
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        let unit = scope.get::<U>(meta).await?;
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
