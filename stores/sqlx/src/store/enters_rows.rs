use diator::{BoxError, async_trait};

use super::{StageValue, StagesRows};

/// Lets an inbox execute its statement in a unit of work of the program's own.
///
/// A program implements it for the transaction of another library, and gives the type to
/// [`SqlxStore::inbox_in`](super::SqlxStore::inbox_in). A program that uses [`Transaction`](crate::Transaction) calls
/// [`SqlxStore::inbox`](super::SqlxStore::inbox) instead.
///
/// # Guarantees
///
/// - The inbox executes one statement in each unit of work, before any other one. It executes a second one if the first has returned no
///   row; on SQLite only for an entry with a [turn](diator::inbox::Entry::turn).
/// - Parameters are those of [`StagesRows`]. The statement returns one column, a `bigint`, and at most one row.
///
/// # Example
///
/// ```
/// # use diator::BoxError;
/// # use diator::container::{CommitError, UnitOfWork};
/// use diator_sqlx::{EntersRows, StageValue};
/// # use diator_sqlx::StagesRows;
/// # struct Transaction;
/// # #[diator::async_trait]
/// # impl UnitOfWork for Transaction {
/// #     async fn commit(&self) -> Result<(), CommitError> { Ok(()) }
/// #     async fn roll_back(&self) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[diator::async_trait]
/// # impl StagesRows for Transaction {
/// #     async fn execute(&self, _: &str, _: &[StageValue<'_>]) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # struct Row;
/// # impl Row { fn integer(&self, _: usize) -> i64 { 1 } }
/// # impl Transaction { async fn rows(&self, _: &str, _: &[StageValue<'_>]) -> Result<Vec<Row>, BoxError> { Ok(vec![Row]) } }
///
/// #[diator::async_trait]
/// impl EntersRows for Transaction {
///     async fn fetch(&self, sql: &str, values: &[StageValue<'_>]) -> Result<Option<i64>, BoxError> {
///         let rows = self.rows(sql, values).await?; // as your library does it
///         Ok(rows.first().map(|row| row.integer(0)))
///     }
/// }
/// ```
#[async_trait]
pub trait EntersRows: StagesRows {
    /// Executes a statement in the transaction, which it begins if it has not begun, and returns the number in its row.
    ///
    /// # Errors
    ///
    /// The statement failed. The unit of work then rolls back, and the handler does not run.
    async fn fetch(&self, sql: &str, values: &[StageValue<'_>]) -> Result<Option<i64>, BoxError>; // `#[diator::async_trait]` on the `impl`
}
