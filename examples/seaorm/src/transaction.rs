//! SeaORM's transaction as the unit of work of a message, in which an outbox can write. A program writes it once.

use diator::container::{CommitError, UnitOfWork};
use diator::{BoxError, MessageKind, async_trait};
use diator_sqlx::{StageValue, StagesRows};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use sqlx::Connection;
use sqlx::sqlite::SqlitePoolOptions;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// All services of a message write through it. It rolls back when it is dropped, as SeaORM's own does.
pub(crate) struct Transaction(Mutex<Option<DatabaseTransaction>>);

const ENDED: &str = "the transaction has ended";

impl Transaction {
    /// A query takes no lock for writing; all else takes it at once, so that it can read first and write later.
    pub(crate) async fn begin(db: &DatabaseConnection, kind: MessageKind) -> Result<Self, DbErr> {
        let mode =
            if kind == MessageKind::Query { SqliteTransactionMode::Deferred } else { SqliteTransactionMode::Immediate };
        let options = TransactionOptions { sqlite_transaction_mode: Some(mode), ..Default::default() };
        Ok(Self(Mutex::new(Some(db.begin_with_options(options).await?))))
    }

    /// The transaction, to execute entities and statements on, one at a time.
    pub(crate) async fn connection(&self) -> Result<MappedMutexGuard<'_, DatabaseTransaction>, BoxError> {
        MutexGuard::try_map(self.0.lock().await, Option::as_mut).map_err(|_| ENDED.into())
    }
}

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(&self) -> Result<(), CommitError> {
        let transaction = self.0.lock().await.take().ok_or_else(|| CommitError::unknown(ENDED))?;
        // SQLite answers `Ok` only if it has committed; PostgreSQL does not: see `docs/unit-of-work.md`. If it fails, SeaORM
        // drops the transaction, and so rolls back what is still open.
        transaction.commit().await.map_err(|error| match is_still_open(&error) {
            true => CommitError::rolled_back(error),
            false => CommitError::unknown(error),
        })
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        let transaction = self.0.lock().await.take().ok_or(ENDED)?;
        Ok(transaction.rollback().await?)
    }
}

/// All that an outbox needs.
#[async_trait]
impl StagesRows for Transaction {
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError> {
        let connection = self.connection().await?;
        let values = values.iter().map(value);
        connection.execute_raw(Statement::from_sql_and_values(connection.get_database_backend(), sql, values)).await?;
        Ok(())
    }
}

fn value(value: &StageValue<'_>) -> Value {
    match value {
        StageValue::SmallInt(number) => (*number).into(),
        StageValue::BigInt(number) => (*number).into(),
        StageValue::Text(text) => text.as_deref().map(str::to_owned).into(),
        StageValue::Uuid(id) => (*id).into(),
        StageValue::Bytes(bytes) => bytes.to_vec().into(),
    }
}

/// Whether SQLite refused the COMMIT and left the transaction open: for a lock, or for a deferred foreign key.
fn is_still_open(error: &DbErr) -> bool {
    const SQLITE_BUSY: &str = "5";
    let (DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    error
        .as_database_error()
        .is_some_and(|error| error.is_foreign_key_violation() || error.code().is_some_and(|code| code == SQLITE_BUSY))
}

/// Closes a connection that is still in a transaction, as sqlx counts: it counts wrong if SQLite itself, or a trigger, rolled
/// back.
pub(crate) fn closing_what_is_left_open(pool: SqlitePoolOptions) -> SqlitePoolOptions {
    pool.after_release(|connection, _| {
        Box::pin(async move {
            // The rollback of a transaction that was dropped ends first.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

#[cfg(test)]
mod tests {
    use diator::container::CommitOutcome;
    use sea_orm::SqlxSqliteConnector;

    use super::*;

    const SCHEMA: &str = "
        CREATE TABLE orders (id INTEGER PRIMARY KEY);
        CREATE TABLE notes (order_id INTEGER REFERENCES orders DEFERRABLE INITIALLY DEFERRED);
    ";

    #[tokio::test]
    async fn a_deferred_foreign_key_is_certain_to_roll_back() {
        let one = closing_what_is_left_open(SqlitePoolOptions::new().max_connections(1));
        let db = SqlxSqliteConnector::from_sqlx_sqlite_pool(one.connect("sqlite::memory:").await.unwrap());
        db.execute_unprepared(SCHEMA).await.unwrap();

        let transaction = Transaction::begin(&db, MessageKind::Command).await.unwrap();
        let insert = "INSERT INTO notes VALUES (99)";
        transaction.connection().await.unwrap().execute_unprepared(insert).await.unwrap();
        assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::RolledBack);

        // The one connection is in no transaction.
        let transaction = Transaction::begin(&db, MessageKind::Command).await.unwrap();
        transaction.execute("INSERT INTO orders VALUES (?1)", &[StageValue::BigInt(1)]).await.unwrap();
        transaction.commit().await.unwrap();
        let rows = Statement::from_string(db.get_database_backend(), "SELECT id FROM orders UNION SELECT * FROM notes");
        assert_eq!(db.query_all_raw(rows).await.unwrap().len(), 1);
    }
}
