use diator::BoxError;
use diator::container::{CommitError, UnitOfWork};
use sqlx::{Sqlite, SqlitePool};

use crate::transaction::{ConnectionGuard, Mode, Transaction};

/// A short transaction, which takes the lock for writing when it begins and so never has to give up in its middle.
pub(super) fn turn(pool: &SqlitePool) -> Transaction<Sqlite> {
    Transaction::new(pool.clone(), Mode::Write)
}

/// Ends it, after the last statement has succeeded.
pub(super) async fn commit(
    turn: &Transaction<Sqlite>,
    connection: ConnectionGuard<'_, Sqlite>,
) -> Result<(), BoxError> {
    connection.staged(());
    turn.commit().await.map_err(CommitError::into_source)
}
