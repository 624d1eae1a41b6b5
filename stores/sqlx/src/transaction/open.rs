use diator::BoxError;
use diator::container::CommitError;
use sqlx::pool::PoolConnection;
use sqlx::{Pool, SqlSafeStr};
use sqlx_core::transaction::TransactionManager;

use super::Mode;
use super::driver::{Driver, Proven};
use super::queue::WriteTurn;

/// A connection in a transaction, which it rolls back or closes when it is dropped.
///
/// sqlx's own `Transaction` returns its connection to the pool even if a BEGIN or COMMIT was dropped half-way. This type keeps sqlx's
/// depth of nested transactions, so that `begin` on the connection sets a savepoint.
#[derive(Debug)]
pub struct Open<DB: Driver> {
    /// `None` only while it is dropped.
    connection: Option<PoolConnection<DB>>,
    /// Ends when the transaction is over for the database, too.
    turn: Option<WriteTurn<DB>>,
    phase: Phase,
    /// Whether a mark was set when it began, and is on top of all savepoints that are known.
    is_marked: bool,
    proof: Option<DB::Proof>,
    /// What is known of the transaction whatever is executed.
    known: Option<DB::Proof>,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// BEGIN is sent, and not answered.
    Beginning,
    /// Between two statements, as far as we know.
    Open,
    /// A question whether it is still open is sent, and not answered.
    Asking,
    /// COMMIT or ROLLBACK is sent, and not answered.
    Ending,
    /// The connection is in no transaction.
    Done,
    /// The connection must be closed.
    Broken,
}

/// The error of a transaction that ended without a COMMIT or ROLLBACK of ours.
pub(super) const ENDED_BY_ITSELF: &str =
    "the database may have ended the transaction by itself, and may have committed the statements after that";

impl<DB: Driver> Open<DB> {
    pub(super) async fn begin(
        pool: &Pool<DB>,
        mut turn: Option<WriteTurn<DB>>,
        mode: Mode,
        is_marked: bool,
    ) -> sqlx::Result<Self> {
        let connection = match &mut turn {
            Some(turn) => turn.connection().await?,
            None => pool.acquire().await?,
        };
        let mut open =
            Self { connection: Some(connection), turn, phase: Phase::Beginning, is_marked, proof: None, known: None };
        let begin = DB::begin(mode, is_marked).into_sql_str();
        DB::TransactionManager::begin(open.connection(), Some(begin)).await?;
        open.phase = Phase::Open;
        Ok(open)
    }

    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("it is not dropped yet")
    }

    pub(super) fn lent(&self) -> &DB::Connection {
        self.connection.as_ref().expect("it is not dropped yet")
    }

    /// Notes that the last statement succeeded, and that none was executed after it.
    pub(super) fn proven(&mut self, proof: DB::Proof) {
        self.proof = Some(proof);
        self.known = DB::lasting(proof).or(self.known);
    }

    /// Whether the mark is there to be released, which the caller must do next.
    #[cfg(feature = "sqlite")]
    pub(super) fn take_mark(&mut self) -> bool {
        self.proof = None;
        self.phase == Phase::Open && std::mem::take(&mut self.is_marked)
    }

    /// Fails if the transaction has ended, or if the future of an earlier check was dropped: its answer is unknown.
    ///
    /// After an error the connection must not be used any more.
    pub(super) async fn check(&mut self) -> Result<(), BoxError> {
        if self.proof.take().is_some() && self.phase == Phase::Open && self.depth() == 1 {
            // Its last statement has succeeded, so that it was open then, and nothing was executed since.
            return Ok(());
        }
        if self.phase == Phase::Asking {
            return Err(ENDED_BY_ITSELF.into());
        }
        self.phase = Phase::Asking;
        let is_open = DB::is_open(self.connection()).await;
        if is_open.as_ref().is_ok_and(|open| *open) && self.depth() == 1 {
            self.phase = Phase::Open;
            return Ok(());
        }
        self.phase = Phase::Broken;
        is_open?;
        Err(ENDED_BY_ITSELF.into())
    }

    pub(super) async fn execute(&mut self, statement: String) -> Result<(), BoxError> {
        // To release the mark would release what is set here, too.
        (self.proof, self.is_marked) = (None, false);
        Ok(DB::execute(self.connection(), statement).await?)
    }

    pub(super) async fn commit(mut self, pool: &Pool<DB>) -> Result<(), CommitError> {
        if self.phase != Phase::Open {
            return Err(CommitError::unknown(ENDED_BY_ITSELF));
        }
        let (proof, proven) = match (self.proof, self.known) {
            (Some(proof), _) => (proof, Proven::Last),
            (None, Some(known)) => (known, Proven::Earlier),
            (None, None) => match DB::prove(self.connection()).await {
                Ok(proof) => (proof, Proven::Asked),
                Err(error) => {
                    // COMMIT was not sent. If the rollback fails too, closing the connection rolls it back.
                    let _ = self.roll_back().await;
                    return Err(CommitError::rolled_back(error));
                }
            },
        };
        match self.depth() {
            1 => {}
            0 => return Err(CommitError::unknown(ENDED_BY_ITSELF)),
            _ => return Err(CommitError::rolled_back("a transaction within the transaction has not ended")),
        }
        self.phase = Phase::Ending;
        match DB::commit(self.connection(), proven).await {
            Ok(()) => {
                self.phase = Phase::Done;
                Ok(())
            }
            Err(error) => DB::outcome(self, pool, proof, error).await,
        }
    }

    pub(super) async fn roll_back(mut self) -> Result<(), BoxError> {
        if self.phase == Phase::Broken || self.depth() != 1 {
            // Closing the connection ends it.
            self.phase = Phase::Broken;
            return Ok(());
        }
        self.phase = Phase::Ending;
        let rolled_back = DB::TransactionManager::rollback(self.connection()).await;
        self.phase = if rolled_back.is_ok() { Phase::Done } else { Phase::Broken };
        match rolled_back {
            Err(error) if !DB::is_rolled_back(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Rolls back after a refused COMMIT; the answer is whether the transaction was still open and is now rolled back.
    #[cfg(feature = "sqlite")]
    pub(super) async fn roll_back_refused(mut self) -> bool {
        if self.depth() != 1 {
            return false;
        }
        self.phase = Phase::Ending;
        let rolled_back = DB::TransactionManager::rollback(self.connection()).await.is_ok();
        self.phase = if rolled_back { Phase::Done } else { Phase::Broken };
        rolled_back
    }

    /// Notes that the server has answered COMMIT with an error, and so has ended the transaction.
    #[cfg(feature = "postgres")]
    pub(super) fn refused(&mut self) {
        self.phase = Phase::Open;
    }

    /// As if COMMIT had been sent.
    #[cfg(all(test, feature = "postgres"))]
    pub(super) fn sent_commit(&mut self) {
        self.phase = Phase::Ending;
    }

    pub(super) fn depth(&self) -> usize {
        DB::TransactionManager::get_transaction_depth(self.lent())
    }
}

impl<DB: Driver> Drop for Open<DB> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match (self.phase, self.turn.take()) {
            (Phase::Done, Some(turn)) => turn.leave(connection),
            (Phase::Done, None) => {}
            (Phase::Broken, turn) => close(connection, turn),
            (phase, turn) => DB::abandon(connection, phase, turn),
        }
    }
}

/// Closes a connection whose transaction ends with it, and only then lets others write.
pub(super) fn close<DB: Driver>(mut connection: PoolConnection<DB>, turn: Option<WriteTurn<DB>>) {
    connection.close_on_drop();
    if let Some(turn) = turn {
        tokio::spawn(async move {
            // A connection that cannot be closed in an orderly way has ended all the same.
            let _ = connection.close().await;
            drop(turn);
        });
    }
}
