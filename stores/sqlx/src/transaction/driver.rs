use std::error::Error as StdError;
use std::future::Future;

use diator::container::CommitError;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};

use super::Mode;
use super::open::{Open, Phase};
use super::queue::WriteTurn;

/// A database on which [`Transaction`](super::Transaction) runs: [`sqlx::Postgres`] or [`sqlx::Sqlite`].
///
/// The feature of that name must be on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no database on which `diator_sqlx::Transaction` runs",
    note = "it runs on `sqlx::Postgres` and `sqlx::Sqlite`; switch the feature `postgres` or `sqlite` of `diator-sqlx` on"
)]
pub trait Transactional: Driver {}

impl<DB: Driver> Transactional for DB {}

/// The differences between the databases; other crates cannot reach it.
pub trait Driver: Database {
    /// Whether one transaction writes at a time.
    const ONE_WRITES: bool;
    /// Proof that the last statement succeeded, and that the transaction can commit.
    type Proof: Copy + std::fmt::Debug + Send + Sync + 'static;

    /// The text that begins it; with a mark, if it is to have one and the database knows such a thing.
    ///
    /// A mark is a savepoint below all others: it can be released once, and only in the transaction that has set it.
    fn begin(mode: Mode, is_marked: bool) -> &'static str;

    /// The part of a proof that stays true when another statement is executed, if it is all that a commit needs to know before.
    fn lasting(proof: Self::Proof) -> Option<Self::Proof>;

    /// Executes a statement without parameters.
    fn execute(connection: &mut Self::Connection, statement: String) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Asks whether the transaction is still open, if it can end by itself; after a dropped call the connection must be closed.
    fn is_open(connection: &mut Self::Connection) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Fails if the transaction cannot commit.
    fn prove(connection: &mut Self::Connection) -> impl Future<Output = sqlx::Result<Self::Proof>> + Send;

    /// Sends COMMIT, and fails if there was no transaction to commit.
    ///
    /// It must also fail if a statement has failed since the proof.
    fn commit(connection: &mut Self::Connection, proven: Proven) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Finds out what became of a transaction whose COMMIT failed.
    fn outcome(
        open: Open<Self>,
        pool: &Pool<Self>,
        proof: Self::Proof,
        error: sqlx::Error,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// Whether a ROLLBACK failed because there was nothing left to roll back.
    fn is_rolled_back(error: &sqlx::Error) -> bool;

    /// Gives back a connection whose transaction has not ended, or whose end nobody has awaited; others write only after its end.
    fn abandon(connection: PoolConnection<Self>, phase: Phase, turn: Option<WriteTurn<Self>>);

    /// Whether another attempt may succeed.
    fn is_transient(error: &(dyn DatabaseError + 'static)) -> bool;
}

/// When it was proven that a transaction can commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    /// By its last statement.
    Last,
    /// By a question that was asked just now.
    Asked,
    /// By an earlier statement; what is [lasting](Driver::lasting) of its proof is known.
    Earlier,
}

/// The first of an error and its sources that is a `T`.
pub(super) fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}
