use diator::BoxError;
use diator::container::CommitError;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteError};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection, SqlitePool};
use sqlx_core::transaction::TransactionManager;

use super::driver::{Driver, Proven};
use super::open::{Open, Phase, close};
use super::queue::WriteTurn;
use super::{Mode, Transaction};

const SQLITE_ERROR: i32 = 1;
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_FULL: i32 = 13;

impl Driver for Sqlite {
    const ONE_WRITES: bool = true;
    type Proof = ();

    fn begin(mode: Mode, is_marked: bool) -> &'static str {
        match (mode, is_marked) {
            (Mode::Read, _) => "BEGIN",
            (Mode::Write, false) => "BEGIN IMMEDIATE",
            (Mode::Write, true) => "BEGIN IMMEDIATE; SAVEPOINT diator_mark",
        }
    }

    fn lasting((): ()) -> Option<()> {
        // A transaction within it may have been dropped since.
        None
    }

    async fn execute(connection: &mut SqliteConnection, statement: String) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
    }

    async fn is_open(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
        // The only statement without an effect that tells: "cannot start a transaction within a transaction". Where it does
        // start one, the connection is closed.
        match sqlx::query("BEGIN").execute(connection).await {
            Ok(_) => Ok(false),
            Err(error) if code(&error) == Some(SQLITE_ERROR) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn prove(connection: &mut SqliteConnection) -> sqlx::Result<()> {
        // COMMIT itself tells the truth. But a transaction within it may have been dropped, and its rollback be in the queue.
        if <Self as sqlx::Database>::TransactionManager::get_transaction_depth(connection) != 1 {
            connection.ping().await?;
        }
        Ok(())
    }

    async fn commit(connection: &mut SqliteConnection, proven: Proven) -> sqlx::Result<()> {
        if proven == Proven::Last {
            // Nothing is in the queue, so sqlx's count is right.
            return <Self as sqlx::Database>::TransactionManager::commit(connection).await;
        }
        // sqlx answers `Ok` and leaves COMMIT out if it counts no transaction, as after a rollback that was in its queue. So
        // SQLite is asked itself, and gets a transaction for sqlx to count down, which locks nothing.
        sqlx::query("COMMIT; BEGIN").execute(&mut *connection).await?;
        <Self as sqlx::Database>::TransactionManager::start_rollback(connection);
        Ok(())
    }

    async fn outcome(mut open: Open<Self>, _: &SqlitePool, (): (), error: sqlx::Error) -> Result<(), CommitError> {
        // SQLite rolls back whatever it could not write, and the last page of a commit is what commits. An error that comes later,
        // as when the disk is asked to keep it, has another code.
        let is_gone = code(&error) == Some(SQLITE_FULL) && has_one_file(open.connection()).await;
        match open.roll_back_refused().await || is_gone {
            true => Err(CommitError::rolled_back(error)),
            false => Err(CommitError::unknown(error)),
        }
    }

    fn is_rolled_back(error: &sqlx::Error) -> bool {
        // "cannot rollback - no transaction is active"
        code(error) == Some(SQLITE_ERROR)
    }

    fn abandon(mut connection: PoolConnection<Self>, _: Phase, turn: Option<WriteTurn<Self>>) {
        // As sqlx does it: once, since it leaves one out after a COMMIT or ROLLBACK that nobody waited for.
        <Self as sqlx::Database>::TransactionManager::start_rollback(&mut connection);
        tokio::spawn(async move {
            if connection.ping().await.is_err() || connection.is_in_transaction() {
                // It ended by itself, which sqlx has not counted.
                close(connection, turn);
            } else if let Some(turn) = turn {
                turn.leave(connection);
            }
        });
    }

    fn is_transient(error: &(dyn DatabaseError + 'static)) -> bool {
        error.try_downcast_ref::<SqliteError>().is_some_and(|error| {
            let primary = error.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
            matches!(primary, Some(SQLITE_BUSY | SQLITE_LOCKED))
        })
    }
}

/// Whether nothing is attached, not even temporary tables: files commit one after the other.
async fn has_one_file(connection: &mut SqliteConnection) -> bool {
    sqlx::query("PRAGMA database_list").fetch_all(connection).await.is_ok_and(|files| files.len() == 1)
}

impl<Tag> Transaction<Sqlite, Tag> {
    /// Executes a statement of the outbox, which has no effect if the transaction has ended.
    pub(crate) async fn stage(&self, sql: &str, arguments: SqliteArguments, persistent: bool) -> Result<(), BoxError> {
        let mut state = self.state.lock().await;
        let sql = if state.stage.open().is_ok_and(Open::take_mark) {
            // It fails if the transaction has ended, and nothing after it is executed then.
            format!("RELEASE diator_mark; {sql}")
        } else {
            self.ready(&mut state).await?;
            sql.to_owned()
        };
        let open = state.stage.open()?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(persistent);
        let executed = query.execute(open.connection()).await;
        if executed.is_ok() && open.depth() == 1 {
            open.proven(());
        } else {
            self.ready(&mut state).await?;
        }
        executed?;
        Ok(())
    }
}

/// SQLite's extended result code.
fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
