use diator::BoxError;
use diator::container::{CommitError, UnitOfWork};
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use crate::store::Shared;
use crate::transaction::{ConnectionGuard, Mode, Transaction};

/// A short transaction, which takes the lock for writing when it begins and so never has to give up in its middle.
pub(super) fn turn(shared: &Shared<Sqlite>) -> Transaction<Sqlite> {
    shared.transaction(Mode::Write)
}

/// Ends it, after the last statement has succeeded.
pub(super) async fn commit(
    turn: &Transaction<Sqlite>,
    connection: ConnectionGuard<'_, Sqlite>,
) -> Result<(), BoxError> {
    connection.staged(());
    turn.commit().await.map_err(CommitError::into_source)
}

/// Executes one statement in a turn of its own, and counts the rows that it has written.
pub(super) async fn execute(
    shared: &Shared<Sqlite>,
    query: Query<'_, Sqlite, SqliteArguments>,
) -> Result<u64, BoxError> {
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    let written = query.execute(&mut *connection).await?.rows_affected();
    commit(&turn, connection).await?;
    Ok(written)
}
