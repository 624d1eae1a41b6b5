//! The transaction on a PostgreSQL server of its own.
#![cfg(feature = "postgres")]

mod support;

use std::time::Duration;

use diator::container::{CommitError, CommitOutcome, Savepoints, UnitOfWork};
use diator::{BoxError, SendError};
use diator_sqlx::{Mode, Transaction, is_transient};
use diator_testkit::{Postgres, Proxy, within_patience};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgPool, Postgres as Db};
use tokio::time::sleep;

use crate::support::{DROPS, Drops, dropped};

type Tx = Transaction<Db>;

const TABLE: &str = "CREATE TABLE entry (id bigint PRIMARY KEY)";

async fn pool(url: &str, connections: u32) -> PgPool {
    let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(5));
    options.connect(url).await.unwrap()
}

async fn table(url: &str, sql: &'static str) -> PgPool {
    let admin = pool(url, 2).await;
    sqlx::raw_sql(sql).execute(&admin).await.unwrap();
    admin
}

async fn insert(transaction: &Tx, id: i64) -> Result<(), BoxError> {
    let mut connection = transaction.connection().await?;
    sqlx::query("INSERT INTO entry VALUES ($1)").bind(id).execute(&mut *connection).await?;
    Ok(())
}

async fn ids(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("SELECT id FROM entry ORDER BY id").fetch_all(pool).await.unwrap()
}

/// Uses everything that waits.
async fn work(pool: &PgPool, ends: bool) -> Result<(), BoxError> {
    let transaction = Tx::new(pool.clone(), Mode::Write);
    {
        let mut connection = transaction.connection().await?;
        sqlx::query("INSERT INTO entry VALUES (1)").execute(&mut *connection).await?;
        let mut nested = connection.begin().await?;
        sqlx::query("INSERT INTO entry VALUES (2)").execute(&mut *nested).await?;
        nested.commit().await?;
        let mut nested = connection.begin().await?;
        sqlx::query("INSERT INTO entry VALUES (3)").execute(&mut *nested).await?;
        nested.rollback().await?;
    }
    transaction.set("diator_1").await?;
    insert(&transaction, 4).await?;
    transaction.roll_back_to("diator_1").await?;
    transaction.release("diator_1").await?;
    match ends {
        true => transaction.commit().await.map_err(CommitError::into_source),
        false => transaction.roll_back().await,
    }
}

/// The next user of the only connection is in no transaction, and its commit counts.
async fn is_clean(pool: &PgPool, admin: &PgPool, context: &str) {
    let mut connection = pool.acquire().await.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(!connection.is_in_transaction(), "{context}");
    let fresh = "SELECT pg_current_xact_id_if_assigned() IS NULL AND now() = statement_timestamp()";
    let row = sqlx::Executor::fetch_one(&mut *connection, sqlx::raw_sql(fresh)).await;
    let row = row.unwrap_or_else(|error| panic!("{context}: {error}"));
    let fresh = sqlx::Row::try_get_raw(&row, 0).map(|value| value.as_str().unwrap().to_owned()).unwrap();
    assert_eq!(fresh, "t", "{context}");
    let mut transaction = connection.begin().await.unwrap_or_else(|error| panic!("{context}: {error}"));
    sqlx::query("INSERT INTO entry VALUES (9)").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    drop(connection);
    let found = ids(admin).await;
    assert!([&[9][..], &[1, 2, 9]].contains(&&*found), "{context}: {found:?}");
    let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    while sqlx::query_scalar::<_, i64>(open).fetch_one(admin).await.unwrap() > 0 {
        sleep(Duration::from_millis(2)).await;
    }
    sqlx::raw_sql("TRUNCATE entry").execute(admin).await.unwrap();
}

#[tokio::test]
async fn a_future_may_be_dropped_anywhere() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    // Its threads take long enough for each answer to be waited for.
    let (_proxy, url) = through(&server);
    let mut drops_seen = 0;
    for ends in [true, false] {
        for drops in DROPS {
            for times in 0..24 {
                // Statements of a new connection are prepared first: also there it may be dropped.
                let pool = pool(&url, 1).await;
                let context = format!("{drops:?} {times}, commit: {ends}");
                let ended = within_patience(dropped(drops, times, work(&pool, ends))).await;
                within_patience(is_clean(&pool, &admin, &context)).await;
                pool.close().await;
                drops_seen += usize::from(ended.is_none());
                ended.unwrap_or(Ok(())).unwrap();
            }
        }
    }
    // How often a future is pending depends on how fast the other side answers.
    assert!(drops_seen > 20, "{drops_seen}");
}

#[tokio::test]
async fn what_touches_no_data_takes_no_connection() {
    let pool = PgPoolOptions::new().connect_lazy("postgres://127.0.0.1:1/nowhere").unwrap();
    let transaction = Tx::new(pool.clone(), Mode::Write);
    transaction.set("diator_1").await.unwrap();
    transaction.roll_back_to("diator_1").await.unwrap();
    transaction.release("diator_1").await.unwrap();
    transaction.commit().await.unwrap();
    Tx::new(pool.clone(), Mode::Write).roll_back().await.unwrap();
    assert_eq!(pool.size(), 0);
}

#[tokio::test]
async fn the_commit_of_an_aborted_transaction_fails() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    let pool = pool(&server.url(), 1).await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    insert(&transaction, 1).await.unwrap_err();
    assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::RolledBack);
    assert!(ids(&admin).await.is_empty());
    is_clean(&pool, &admin, "").await;
}

#[tokio::test]
async fn a_savepoint_saves_an_aborted_transaction() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    let transaction = Tx::new(admin.clone(), Mode::Write);
    // Nothing has begun: to undo this one is to undo all.
    transaction.set("diator_1").await.unwrap();
    insert(&transaction, 1).await.unwrap();
    transaction.roll_back_to("diator_1").await.unwrap();
    insert(&transaction, 2).await.unwrap();
    transaction.release("diator_1").await.unwrap();
    transaction.set("diator_2").await.unwrap();
    insert(&transaction, 2).await.unwrap_err();
    transaction.roll_back_to("diator_2").await.unwrap();
    transaction.release("diator_2").await.unwrap();
    insert(&transaction, 3).await.unwrap();
    // Its rollback is sent with the next statement, which is the commit.
    let mut connection = transaction.connection().await.unwrap();
    let mut nested = connection.begin().await.unwrap();
    sqlx::query("INSERT INTO entry VALUES (5)").execute(&mut *nested).await.unwrap();
    drop(nested);
    drop(connection);
    transaction.commit().await.unwrap();
    assert_eq!(ids(&admin).await, [2, 3]);
}

#[tokio::test]
async fn a_dropped_begin_within_it_ends_it_loudly() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    for drops in DROPS {
        let pool = pool(&server.url(), 1).await;
        let transaction = Tx::new(pool.clone(), Mode::Write);
        insert(&transaction, 1).await.unwrap();
        let mut connection = transaction.connection().await.unwrap();
        let was_dropped =
            dropped(drops, usize::from(matches!(drops, Drops::Polls)), connection.begin()).await.is_none();
        drop(connection);
        if was_dropped {
            insert(&transaction, 2).await.unwrap_err();
            assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown);
        } else {
            drop(transaction);
        }
        is_clean(&pool, &admin, &format!("{drops:?}")).await;
    }
}

#[tokio::test]
async fn an_ended_transaction_lends_nothing() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    let transaction = Tx::new(admin.clone(), Mode::Write);
    transaction.commit().await.unwrap();
    assert_eq!(transaction.connection().await.unwrap_err().to_string(), "the transaction has ended");
    assert_eq!(transaction.commit().await.unwrap_err().outcome(), CommitOutcome::Unknown);
}

#[tokio::test]
async fn a_query_writes_nothing() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    let transaction = Tx::new(admin.clone(), Mode::Read);
    let error = insert(&transaction, 1).await.unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[tokio::test]
async fn an_exhausted_pool_passes() {
    let server = Postgres::start(&[]);
    let options = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_millis(50));
    let pool = options.connect(&server.url()).await.unwrap();
    let first = Tx::new(pool.clone(), Mode::Write);
    drop(first.connection().await.unwrap());
    let second = Tx::new(pool.clone(), Mode::Write);
    let error = second.connection().await.unwrap_err();
    assert!(is_transient(&*error), "{error}");
    first.commit().await.unwrap();
    // The next call tries again.
    drop(second.connection().await.unwrap());
}

#[tokio::test]
async fn deadlocks_and_serialization_failures_pass() {
    let server = Postgres::start(&["default_transaction_isolation=serializable", "deadlock_timeout=50ms"]);
    let admin = table(&server.url(), TABLE).await;
    let (first, second) = (Tx::new(admin.clone(), Mode::Write), Tx::new(admin.clone(), Mode::Write));
    for (transaction, id) in [(&first, 1_i64), (&second, 2)] {
        let mut connection = transaction.connection().await.unwrap();
        sqlx::query("SELECT count(*) FROM entry").execute(&mut *connection).await.unwrap();
        sqlx::query("INSERT INTO entry VALUES ($1)").bind(id).execute(&mut *connection).await.unwrap();
    }
    first.commit().await.unwrap();
    let error = second.commit().await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::RolledBack);
    assert!(is_transient(&*error.into_source()));

    let (first, second) = (Tx::new(admin.clone(), Mode::Write), Tx::new(admin.clone(), Mode::Write));
    insert(&first, 3).await.unwrap();
    insert(&second, 4).await.unwrap();
    let (one, other) = tokio::join!(
        async {
            let result = insert(&first, 4).await;
            first.roll_back().await.unwrap();
            result
        },
        async {
            let result = insert(&second, 3).await;
            second.roll_back().await.unwrap();
            result
        }
    );
    let error = one.and(other).unwrap_err();
    assert!(is_transient(&*error), "{error}");
    assert!(is_transient(&SendError::Handler(error)));
}

#[tokio::test]
async fn a_deferred_constraint_rolls_back() {
    let server = Postgres::start(&[]);
    let sql = "CREATE TABLE entry (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    let admin = table(&server.url(), sql).await;
    let pool = pool(&server.url(), 1).await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    insert(&transaction, 1).await.unwrap();
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::RolledBack);
    assert!(!is_transient(&*error.into_source()));
    is_clean(&pool, &admin, "").await;
}

/// A commit that takes its time.
const SLOW: &str = "CREATE TABLE entry (id bigint PRIMARY KEY);
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION slow()";

fn through(server: &Postgres) -> (Proxy, String) {
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into());
    let url = format!("postgres://postgres@{}/postgres?sslmode=disable", proxy.address());
    (proxy, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unknown_although_it_happened() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), SLOW).await;
    let (proxy, url) = through(&server);
    for swallows_for in [600, 0] {
        // The server notices a connection that is cut only when it answers: until then it is in progress.
        let pool = pool(&url, 1).await;
        let transaction = Tx::new(pool.clone(), Mode::Write);
        insert(&transaction, 1).await.unwrap();
        let committing = tokio::spawn(async move { transaction.commit().await });
        sleep(Duration::from_millis(150)).await;
        proxy.swallow();
        sleep(Duration::from_millis(swallows_for)).await;
        proxy.cut();
        let error = within_patience(committing).await.unwrap().unwrap_err();
        assert_eq!(error.outcome(), CommitOutcome::Unknown);
        is_clean_after(&pool, &admin).await;
    }
}

/// What was committed is there.
async fn is_clean_after(pool: &PgPool, admin: &PgPool) {
    assert_eq!(ids(admin).await, [1]);
    sqlx::raw_sql("TRUNCATE entry").execute(admin).await.unwrap();
    assert!(ids(pool).await.is_empty());
}

/// After a crash the server gives the numbers of transactions out again that were not yet on its disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_another_transaction_has_got_is_no_proof_of_a_commit() {
    let server = Postgres::start(&[]);
    table(&server.url(), SLOW).await.close().await;
    let (proxy, url) = through(&server);
    let pool = pool(&url, 1).await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    // The server dies in the middle of the COMMIT, and others write before anybody asks.
    let committing = tokio::spawn(async move { transaction.commit().await });
    sleep(Duration::from_millis(150)).await;
    proxy.refuse();
    server.kill();
    server.restart();
    for number in 1..=4 {
        server.psql(&format!("CREATE TABLE other_{number} ()"));
    }
    proxy.admit();
    let error = within_patience(committing).await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::Unknown);
    assert_eq!(server.psql("SELECT count(*) FROM entry").trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_lost_is_rolled_back() {
    let server = Postgres::start(&[]);
    let admin = table(&server.url(), TABLE).await;
    let (proxy, url) = through(&server);
    let pool = pool(&url, 1).await;
    let transaction = Tx::new(pool.clone(), Mode::Write);
    insert(&transaction, 1).await.unwrap();
    proxy.cut();
    let error = within_patience(transaction.commit()).await.unwrap_err();
    assert_eq!(error.outcome(), CommitOutcome::RolledBack);
    assert!(is_transient(&*error.into_source()));
    assert!(ids(&admin).await.is_empty());
    is_clean(&pool, &admin, "").await;
}
