//! What only the outbox can do: tell the transaction that its statement has succeeded.

use diator::container::{CommitOutcome, UnitOfWork};
use diator_testkit::Postgres;
use sqlx::PgPool;

use super::{Mode, Transaction};

type Tx = Transaction<sqlx::Postgres>;

const INSERT: &str = "INSERT INTO entry VALUES (1) RETURNING pg_current_xact_id_if_assigned()::text::int8";

#[tokio::test]
async fn what_was_staged_last_need_not_be_asked_for() {
    let server = Postgres::start(&[]);
    let pool = PgPool::connect(&server.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE entry (id bigint PRIMARY KEY)").execute(&pool).await.unwrap();

    let transaction = Tx::new(pool.clone(), Mode::Write);
    let mut connection = transaction.connection().await.unwrap();
    let id: Option<i64> = sqlx::query_scalar(INSERT).fetch_one(&mut *connection).await.unwrap();
    assert!(id.is_some());
    connection.staged(id);
    transaction.commit().await.unwrap();

    // It believes what it is told, although it is not true here.
    let transaction = Tx::new(pool.clone(), Mode::Write);
    let mut connection = transaction.connection().await.unwrap();
    sqlx::query(INSERT).execute(&mut *connection).await.unwrap_err();
    connection.staged(None);
    transaction.commit().await.unwrap();

    // Whoever gets the connection after that may make the transaction fail.
    let transaction = Tx::new(pool.clone(), Mode::Write);
    transaction.connection().await.unwrap().staged(None);
    let mut connection = transaction.connection().await.unwrap();
    sqlx::query(INSERT).execute(&mut *connection).await.unwrap_err();
    drop(connection);
    assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::RolledBack);
}
