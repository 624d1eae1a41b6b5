//! A SQLite transaction that belongs to one message.
//!
//! It is the shortest that is right. The guide `docs/unit-of-work.md` of diator adds savepoints for nested requests,
//! lists the failed COMMITs that are certain to have rolled back, and says what PostgreSQL needs.

use diator::container::{CommitError, UnitOfWork};
use diator::{BoxError, async_trait};
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// All services of a message write through it. It rolls back when it is dropped, as sqlx's own does.
pub(crate) struct Transaction(Mutex<Option<sqlx::Transaction<'static, Sqlite>>>);

const ENDED: &str = "the transaction has ended";

impl Transaction {
    pub(crate) async fn begin(pool: &SqlitePool) -> Result<Self, BoxError> {
        Ok(Self(Mutex::new(Some(pool.begin().await?))))
    }

    /// The connection on which a statement is executed: one statement at a time.
    pub(crate) async fn connection(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, BoxError> {
        MutexGuard::try_map(self.0.lock().await, Option::as_deref_mut).map_err(|_| ENDED.into())
    }
}

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(&self) -> Result<(), CommitError> {
        let transaction = self.0.lock().await.take().ok_or_else(|| CommitError::unknown(ENDED))?;
        transaction.commit().await.map_err(CommitError::unknown)
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        let transaction = self.0.lock().await.take().ok_or(ENDED)?;
        Ok(transaction.rollback().await?)
    }
}
