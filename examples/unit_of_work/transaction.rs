//! A SQLite transaction that belongs to one message: what a program writes once.

use diator::container::{CommitError, Savepoints, UnitOfWork};
use diator::{BoxError, async_trait};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// What all services of a message write through. It rolls back when it is dropped, as sqlx's own does.
pub(crate) struct Transaction(Mutex<Option<sqlx::Transaction<'static, Sqlite>>>);

impl Transaction {
    /// Takes a connection out of the pool. SQLite locks nothing before the first statement.
    pub(crate) async fn begin(pool: &SqlitePool) -> sqlx::Result<Self> {
        Ok(Self(Mutex::new(Some(pool.begin().await?))))
    }

    /// What a statement is executed on: one at a time.
    pub(crate) async fn connection(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, BoxError> {
        let transaction = self.0.lock().await;
        MutexGuard::try_map(transaction, Option::as_deref_mut).map_err(|_| ENDED.into())
    }

    async fn execute(&self, statement: String) -> Result<(), BoxError> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *self.connection().await?).await?;
        Ok(())
    }
}

const ENDED: &str = "the transaction has ended";

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(&self) -> Result<(), CommitError> {
        let transaction = self.0.lock().await.take().ok_or_else(|| CommitError::unknown(ENDED))?;
        // If it fails, sqlx drops the transaction, and so rolls back what is still open.
        transaction.commit().await.map_err(|error| match is_still_open(&error) {
            true => CommitError::rolled_back(error),
            false => CommitError::unknown(error),
        })
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        let transaction = self.0.lock().await.take().ok_or(ENDED)?;
        Ok(transaction.rollback().await?)
    }

    fn savepoints(&self) -> Option<&dyn Savepoints> {
        Some(self)
    }
}

#[async_trait]
impl Savepoints for Transaction {
    async fn set(&self, name: &str) -> Result<(), BoxError> {
        self.execute(format!("SAVEPOINT {name}")).await
    }

    async fn roll_back_to(&self, name: &str) -> Result<(), BoxError> {
        self.execute(format!("ROLLBACK TO {name}")).await
    }

    async fn release(&self, name: &str) -> Result<(), BoxError> {
        self.execute(format!("RELEASE {name}")).await
    }
}

/// Closes a connection whose transaction cannot be told to have ended: sqlx counts wrong if SQLite itself, or a trigger,
/// rolled it back.
pub(crate) fn closing_what_is_left_open(pool: SqlitePoolOptions) -> SqlitePoolOptions {
    pool.after_release(|connection, _| {
        Box::pin(async move {
            // What was begun before, such as the rollback of a transaction that was dropped, ends first.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

/// Whether SQLite refused the COMMIT and left the transaction open: for a lock, or for a deferred foreign key.
fn is_still_open(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: &str = "5";
    error
        .as_database_error()
        .is_some_and(|error| error.is_foreign_key_violation() || error.code().is_some_and(|code| code == SQLITE_BUSY))
}
