use std::borrow::Cow;
use std::fmt::Write;

use diator::BoxError;
use diator::async_trait;
use diator::container::UnitOfWork;
use uuid::Uuid;

/// Lets an outbox execute statements in a unit of work of the program's own.
///
/// A program implements it for the transaction of another library, and gives the type to
/// [`SqlxStore::outbox_in`](super::SqlxStore::outbox_in). A program that uses [`Transaction`](crate::Transaction) calls
/// [`SqlxStore::outbox`](super::SqlxStore::outbox) instead.
///
/// # Guarantees
///
/// - The outbox executes one statement at a time, and only before the commit.
/// - Parameters are numbered: `$1`, `$2` on PostgreSQL, `?1`, `?2` on SQLite. `values` has one value for each, in this order.
///
/// # Example
///
/// ```
/// # use diator::BoxError;
/// # use diator::container::{CommitError, UnitOfWork};
/// use diator_sqlx::{StageValue, StagesRows};
/// # struct Transaction;
/// # #[diator::async_trait]
/// # impl UnitOfWork for Transaction {
/// #     async fn commit(&self) -> Result<(), CommitError> { Ok(()) }
/// #     async fn roll_back(&self) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # struct Parameter;
/// # impl Parameter {
/// #     fn integer(_: i64) -> Self { Self }
/// #     fn text(_: Option<&str>) -> Self { Self }
/// #     fn bytes(_: &[u8]) -> Self { Self }
/// # }
/// # impl Transaction { async fn run(&self, _: &str, _: Vec<Parameter>) -> Result<(), BoxError> { Ok(()) } }
///
/// #[diator::async_trait]
/// impl StagesRows for Transaction {
///     async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError> {
///         let parameters = values.iter().map(|value| match value {
///             StageValue::SmallInt(number) => Parameter::integer(i64::from(*number)),
///             StageValue::BigInt(number) => Parameter::integer(*number),
///             StageValue::Text(text) => Parameter::text(text.as_deref()),
///             StageValue::Bytes(bytes) => Parameter::bytes(bytes),
///             StageValue::Uuid(_) => unreachable!("only PostgreSQL has this type"),
///         });
///         self.run(sql, parameters.collect()).await // as your library does it
///     }
/// }
/// ```
#[async_trait]
pub trait StagesRows: UnitOfWork {
    /// Executes a statement in the transaction, which it begins if it has not begun.
    ///
    /// It may ignore the rows that the statement returns.
    ///
    /// # Errors
    ///
    /// The statement failed. The message then fails as [`SendError::Stage`](diator::SendError::Stage), and the transaction must roll
    /// back.
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError>; // `#[diator::async_trait]` on the `impl`
}

/// The value of a parameter, by the type of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageValue<'a> {
    /// A `smallint`.
    SmallInt(i16),
    /// A `bigint`.
    BigInt(i64),
    /// A `text`, or null.
    Text(Option<Cow<'a, str>>),
    /// A `uuid`, or null; only on PostgreSQL.
    Uuid(Option<Uuid>),
    /// A `bytea` or `blob`.
    Bytes(&'a [u8]),
}

/// One of the statements that write messages.
#[derive(Debug)]
pub struct Statement<'a> {
    pub(crate) sql: Cow<'a, str>,
    pub(crate) values: Vec<StageValue<'a>>,
}

/// Writes rows of parameters, such as `(?1, ?2), (?3, ?4)`: each row is the template with a number in place of each `#`.
pub(crate) fn placeholders(row: &str, sign: char, rows: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    for index in 0..rows {
        text.push_str(if index == 0 { "" } else { ", " });
        for character in row.chars() {
            if character == '#' {
                number += 1;
                // Writing to a string cannot fail.
                let _ = write!(text, "{sign}{number}");
            } else {
                text.push(character);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(placeholders("(#, now() + #)", '$', 2), "($1, now() + $2), ($3, now() + $4)");
    }
}
