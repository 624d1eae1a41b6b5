use std::time::Duration;

use diator::container::CommitError;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres};
use sqlx_core::transaction::TransactionManager;
use tokio::time::{sleep, timeout};

use super::Mode;
use super::driver::{Driver, Proven};
use super::open::{Open, Phase};
use super::queue::WriteTurn;

/// How long to ask for the outcome of a lost COMMIT.
const ASKS_FOR: Duration = Duration::from_secs(10);
const ASKS_AFTER: Duration = Duration::from_millis(20);
const ASKS_AT_LEAST_EVERY: Duration = Duration::from_millis(640);

impl Driver for Postgres {
    const ONE_WRITES: bool = false;
    /// The transaction's id; none as long as it has written nothing.
    type Proof = Option<i64>;

    fn begin(mode: Mode, _: bool) -> &'static str {
        match mode {
            Mode::Read => "BEGIN READ ONLY",
            Mode::Write => "BEGIN",
        }
    }

    fn lasting(id: Option<i64>) -> Option<Option<i64>> {
        id.map(Some)
    }

    async fn execute(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
    }

    async fn is_open(_: &mut PgConnection) -> sqlx::Result<bool> {
        // A failed statement leaves it open, though of no use.
        Ok(true)
    }

    async fn prove(connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
        // sqlx would have to ask what an `xid8` is.
        sqlx::query_scalar("SELECT pg_current_xact_id_if_assigned()::text::int8").fetch_one(connection).await
    }

    async fn commit(connection: &mut PgConnection, proven: Proven) -> sqlx::Result<()> {
        if proven != Proven::Earlier {
            return <Self as sqlx::Database>::TransactionManager::commit(connection).await;
        }
        // COMMIT answers a transaction in which a statement has failed with a ROLLBACK, which is no error. SET fails then, and nothing
        // after it is executed; otherwise it checks what COMMIT would check, and costs less than a SELECT. Together they are one round
        // trip. sqlx has to count a transaction down, which is the new one.
        sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE; COMMIT AND CHAIN").execute(&mut *connection).await?;
        <Self as sqlx::Database>::TransactionManager::start_rollback(connection);
        Ok(())
    }

    async fn outcome(
        mut open: Open<Self>,
        pool: &PgPool,
        id: Option<i64>,
        error: sqlx::Error,
    ) -> Result<(), CommitError> {
        if is_answer(&error) {
            open.refused();
            return Err(CommitError::rolled_back(error));
        }
        // It may hold the only connection of the pool.
        drop(open);
        let Some(id) = id else {
            // Nothing was written. No transaction was begun behind this COMMIT, so that an error of the server's is its answer.
            return if is_from_the_server(&error) { Err(CommitError::rolled_back(error)) } else { Ok(()) };
        };
        match timeout(ASKS_FOR, was_aborted(id, pool)).await {
            Ok(true) => Err(CommitError::rolled_back(error)),
            Ok(false) | Err(_) => Err(CommitError::unknown(error)),
        }
    }

    fn is_rolled_back(_: &sqlx::Error) -> bool {
        // The connection is lost, and the server rolls back once it notices.
        false
    }

    fn abandon(mut connection: PoolConnection<Self>, phase: Phase, _: Option<WriteTurn<Self>>) {
        let depth = <Self as sqlx::Database>::TransactionManager::get_transaction_depth(&connection);
        if phase == Phase::Open && depth == 1 {
            // It is sent before the connection returns to the pool.
            <Self as sqlx::Database>::TransactionManager::start_rollback(&mut connection);
        } else {
            // sqlx 0.9.0 does not know whether a transaction is open whose BEGIN or COMMIT was dropped.
            connection.close_on_drop();
        }
    }

    fn is_transient(error: &(dyn DatabaseError + 'static)) -> bool {
        // Serialization failure, deadlock, lock not available; the process stood still; too many connections; the server is going down or coming up.
        const CODES: [&str; 8] = ["40001", "40P01", "55P03", "25P03", "53300", "57P01", "57P02", "57P03"];
        error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| CODES.contains(&error.code()))
    }
}

/// Whether the transaction has surely rolled back.
///
/// The answer "committed" proves nothing: a server that crashes before the COMMIT is on its disk gives the id to another transaction.
async fn was_aborted(id: i64, pool: &PgPool) -> bool {
    let mut wait = ASKS_AFTER;
    loop {
        let asked = sqlx::query_scalar::<_, Option<String>>("SELECT pg_xact_status($1::int8::text::xid8)");
        match asked.bind(id).fetch_one(pool).await.as_ref().map(Option::as_deref) {
            Ok(Some("aborted")) => return true,
            // The server has forgotten an id for which it answers null.
            Ok(Some("committed") | None) | Err(sqlx::Error::PoolClosed) => return false,
            // The server has not noticed the lost connection yet, or is away.
            Ok(Some(_)) | Err(_) => {}
        }
        sleep(wait).await;
        wait = (wait * 2).min(ASKS_AT_LEAST_EVERY);
    }
}

/// Whether the server refused the COMMIT, rather than went away.
fn is_answer(error: &sqlx::Error) -> bool {
    is_from_the_server(error) && !code_of(error).is_some_and(may_follow_a_commit)
}

/// Whether the server sent the error and went on, rather than went away; a pooler in front of it says in its name that it is away.
fn is_from_the_server(error: &sqlx::Error) -> bool {
    let answer = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let went_on = answer.is_some_and(|answer| !matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic));
    went_on && !code_of(error).is_some_and(is_of_the_connection)
}

fn code_of(error: &sqlx::Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}

/// Whether an error can also come from the transaction that begins behind a COMMIT: an interruption, a lack of resources, a fault of the server.
fn may_follow_a_commit(code: &str) -> bool {
    ["53", "57", "58", "XX"].iter().any(|class| code.starts_with(class)) || is_of_the_connection(code)
}

/// Whether somebody between here and the server says that nobody knows what the server did.
fn is_of_the_connection(code: &str) -> bool {
    code.starts_with("08") || code == "40003"
}

#[cfg(test)]
mod tests {
    use diator::container::CommitOutcome;
    use diator_testkit::Postgres as Server;
    use sqlx::postgres::PgPoolOptions;

    use super::*;

    /// What the server says with this code, as an answer to something else.
    async fn error_of(pool: &PgPool, code: &str) -> sqlx::Error {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$");
        sqlx::raw_sql(AssertSqlSafe(raise)).execute(pool).await.unwrap_err()
    }

    #[tokio::test]
    async fn an_error_that_may_follow_a_commit_is_asked_for_and_closes_the_connection() {
        let server = Server::start(&[]);
        let pool = PgPoolOptions::new().max_connections(1).connect(&server.url()).await.unwrap();
        let ids = "SELECT pg_current_xact_id()::text::int8";
        let committed: i64 = sqlx::query_scalar(ids).fetch_one(&pool).await.unwrap();
        let mut transaction = pool.begin().await.unwrap();
        let aborted: i64 = sqlx::query_scalar(ids).fetch_one(&mut *transaction).await.unwrap();
        transaction.rollback().await.unwrap();
        let outcome = async |id, error: sqlx::Error| {
            let mut open = Open::begin(&pool, None, Mode::Write, false).await.unwrap();
            let backend = "SELECT pg_backend_pid()";
            let before: i32 = sqlx::query_scalar(backend).fetch_one(open.connection()).await.unwrap();
            open.sent_commit();
            let outcome = <Postgres as Driver>::outcome(open, &pool, id, error).await;
            let after: i32 = sqlx::query_scalar(backend).fetch_one(&pool).await.unwrap();
            (outcome.map_err(|error| error.outcome()), before == after)
        };
        let (rolled_back, unknown) = (Err(CommitOutcome::RolledBack), Err(CommitOutcome::Unknown));
        for code in ["57014", "53200", "58030", "XX000", "08006", "40003"] {
            assert_eq!(outcome(Some(aborted), error_of(&pool, code).await).await, (rolled_back, false), "{code}");
            assert_eq!(outcome(Some(committed), error_of(&pool, code).await).await, (unknown, false), "{code}");
        }
        // Without an id nothing was written.
        assert_eq!(outcome(None, error_of(&pool, "57014").await).await.0, rolled_back);
        assert_eq!(outcome(None, error_of(&pool, "08006").await).await.0, Ok(()));
        // What COMMIT alone can answer is believed, and the connection is well.
        assert_eq!(outcome(Some(committed), error_of(&pool, "23505").await).await, (rolled_back, true));
    }

    #[test]
    fn only_what_commit_alone_can_answer_is_a_refusal() {
        let refusals = ["25P02", "23505", "23503", "40001", "40P01", "P0001"];
        let doubtful = ["57014", "57P01", "53200", "53100", "58030", "XX000", "08006", "08P01", "40003"];
        assert!(refusals.iter().all(|code| !may_follow_a_commit(code)));
        assert!(doubtful.iter().all(|code| may_follow_a_commit(code)));
    }
}
