use std::borrow::Cow;
use std::fmt::Write;

use diator::BoxError;
use diator::async_trait;
use diator::container::UnitOfWork;
use uuid::Uuid;

/// A unit of work in whose transaction an outbox can write.
///
/// A program implements it for the transaction of another library, and gives it to
/// [`SqlxStore::outbox_in`](super::SqlxStore::outbox_in). sqlx alone needs none of this:
/// [`SqlxStore::outbox`](super::SqlxStore::outbox) does it.
///
/// # Guarantees
///
/// - Statements come one at a time, and only before the commit.
/// - Parameters are written as the database has them: `$1`, `$2` for PostgreSQL, `?1`, `?2` for SQLite. There is one value for
///   each, in their order.
#[async_trait]
pub trait StagesRows: UnitOfWork {
    /// Runs the statement in the transaction, and begins that if nobody has; rows that it returns may be thrown away.
    ///
    /// # Errors
    ///
    /// The statement failed: the message then fails, and the transaction must roll back.
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError>; // `#[diator::async_trait]` on the `impl`
}

/// A value of a statement of [`StagesRows`], by the type of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageValue<'a> {
    /// A `smallint`.
    SmallInt(i16),
    /// A `bigint`.
    BigInt(i64),
    /// A `text`, or null.
    Text(Option<Cow<'a, str>>),
    /// A `uuid`, or null; PostgreSQL alone has it.
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

/// So many rows of parameters: `(?1, ?2), (?3, ?4)`; each row is the template with a number in place of each `#`.
pub(crate) fn placeholders(row: &str, sign: char, rows: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    for index in 0..rows {
        text.push_str(if index == 0 { "" } else { ", " });
        for character in row.chars() {
            if character == '#' {
                number += 1;
                // A string takes all that is written.
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
