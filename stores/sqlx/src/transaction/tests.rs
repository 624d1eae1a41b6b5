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

#[tokio::test]
async fn what_an_earlier_statement_told_is_not_asked_for_again() {
    let server = Postgres::start(&[]);
    let pool = PgPool::connect(&server.url()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE entry (id bigint PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        .execute(&pool)
        .await
        .unwrap();
    let begun = async || {
        let transaction = Tx::new(pool.clone(), Mode::Write);
        let mut connection = transaction.connection().await.unwrap();
        let insert =
            "INSERT INTO entry SELECT count(*) FROM entry RETURNING pg_current_xact_id_if_assigned()::text::int8";
        let id: Option<i64> = sqlx::query_scalar(insert).fetch_one(&mut *connection).await.unwrap();
        connection.staged(id);
        transaction
    };
    let count = async || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM entry").fetch_one(&pool).await.unwrap();

    for number in 1..=3 {
        let transaction = begun().await;
        sqlx::query("SELECT 1").execute(&mut *transaction.connection().await.unwrap()).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(count().await, number);
    }

    // A statement that failed since then, in a savepoint or not, and one that fails at the end.
    let transaction = begun().await;
    sqlx::query("SELECT 1 / 0").execute(&mut *transaction.connection().await.unwrap()).await.unwrap_err();
    assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::RolledBack);
    let transaction = begun().await;
    let twice = "INSERT INTO entry VALUES (70), (70)";
    sqlx::query(twice).execute(&mut *transaction.connection().await.unwrap()).await.unwrap();
    assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::RolledBack);
    assert_eq!(count().await, 3);
    let transaction = begun().await;
    let savepoints = transaction.savepoints().unwrap();
    savepoints.set("a").await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *transaction.connection().await.unwrap()).await.unwrap_err();
    savepoints.roll_back_to("a").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(count().await, 4);

    // No connection has come back within a transaction.
    let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    while sqlx::query_scalar::<_, i64>(open).fetch_one(&pool).await.unwrap() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
