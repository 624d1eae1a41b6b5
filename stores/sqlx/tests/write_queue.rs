//! Transactions of one store that write on SQLite: they wait in a queue, and not for SQLite.
//!
//! No connection here waits for a lock: whoever asks SQLite while another one writes gets `SQLITE_BUSY` at once.
#![cfg(feature = "sqlite")]

mod support;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use diator::BoxError;
use diator::container::{CommitError, Outcome, UnitOfWork};
use diator::inbox::{Entry, Inbox, Seen};
use diator::{Container, MessageKind, Meta};
use diator_sqlx::{Mode, SqlxStore, Transaction, is_transient, sqlite_options};
use diator_testkit::within_patience;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection, Sqlite, SqlitePool};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{DROPS, Directory, dropped};

type Tx = Transaction<Sqlite>;

struct Database {
    pool: SqlitePool,
    store: SqlxStore<Sqlite>,
    /// How often somebody got a connection from the pool.
    acquired: Arc<AtomicUsize>,
    directory: Directory,
}

impl Database {
    async fn new(connections: u32, patience: Duration) -> Self {
        let (directory, acquired) = (Directory::new(), Arc::<AtomicUsize>::default());
        let count = acquired.clone();
        let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(patience);
        let pool = pool.before_acquire(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(true) })
        });
        let pool = pool.connect_lazy_with(options(&directory));
        let store = SqlxStore::new(pool.clone());
        store.apply_schema().await.unwrap();
        let table = "CREATE TABLE entry (place INTEGER PRIMARY KEY, id INTEGER NOT NULL)";
        sqlx::raw_sql(table).execute(&pool).await.unwrap();
        Self { pool, store, acquired, directory }
    }

    /// A transaction that has written.
    async fn writing(&self, id: i64) -> Tx {
        let transaction = self.store.transaction(Mode::Write);
        insert(&transaction, id).await.unwrap();
        transaction
    }

    async fn ids(&self) -> Vec<i64> {
        sqlx::query_scalar("SELECT id FROM entry ORDER BY place").fetch_all(&self.pool).await.unwrap()
    }
}

fn options(directory: &Directory) -> sqlx::sqlite::SqliteConnectOptions {
    sqlite_options().filename(directory.0.join("a.sqlite")).busy_timeout(Duration::ZERO)
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

async fn insert(transaction: &Tx, id: i64) -> Result<(), BoxError> {
    let mut connection = transaction.connection().await?;
    sqlx::query("INSERT INTO entry (id) VALUES (?)").bind(id).execute(&mut *connection).await?;
    Ok(())
}

async fn write(store: SqlxStore<Sqlite>, id: i64) -> Result<(), BoxError> {
    let transaction = store.transaction(Mode::Write);
    insert(&transaction, id).await?;
    transaction.commit().await.map_err(CommitError::into_source)
}

/// Lets a future take its place in the queue.
async fn waits<T>(mut future: Pin<&mut impl Future<Output = T>>) {
    let is_pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending, "it was to wait");
}

#[tokio::test]
async fn the_first_to_come_is_the_first_to_write() {
    within_patience(async {
        let database = Database::new(4, LONG).await;
        let open = database.writing(0).await;
        let mut writers: Vec<_> = (1..=20).map(|id| Box::pin(write(database.store.clone(), id))).collect();
        for writer in &mut writers {
            waits(writer.as_mut()).await;
        }
        open.commit().await.unwrap();
        // Who is polled first does not matter.
        let mut running = JoinSet::new();
        for writer in writers.into_iter().rev() {
            running.spawn(writer);
        }
        for written in running.join_all().await {
            written.unwrap();
        }
        assert_eq!(database.ids().await, (0..=20).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn who_waits_has_no_connection_and_who_reads_does_not_wait() {
    within_patience(async {
        let database = Database::new(2, LONG).await;
        let open = database.writing(0).await;
        let mut writers: Vec<_> = (1..=5).map(|id| Box::pin(write(database.store.clone(), id))).collect();
        for writer in &mut writers {
            waits(writer.as_mut()).await;
        }
        let query = database.store.transaction(Mode::Read);
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM entry");
        assert_eq!(count.fetch_one(&mut *query.connection().await.unwrap()).await.unwrap(), 0);
        query.commit().await.unwrap();
        open.commit().await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_writer_within_a_writer_ends_in_an_error_that_names_the_limit() {
    within_patience(async {
        let database = Database::new(4, SHORT).await;
        let open = database.writing(0).await;
        let error = database.store.transaction(Mode::Write).connection().await.unwrap_err();
        assert!(is_transient(&*error), "{error}");
        assert!(error.to_string().contains("writing for 50ms, the `acquire_timeout` of the pool"), "{error}");

        let (services, meta, inbox) = (database.store.services(), Meta::new(), database.store.inbox());
        let scope = services.open(&meta, MessageKind::NotificationEvent).get().await.unwrap();
        let entry = Entry::new("billing", "billing.charge", Uuid::now_v7());
        assert_eq!(inbox.enter(&*scope, &meta, &entry).await.unwrap(), Seen::Busy);
        scope.close(Outcome::Failure).get().await.unwrap();

        // Neither keeps a place.
        open.commit().await.unwrap();
        write(database.store.clone(), 1).await.unwrap();
        assert_eq!(database.ids().await, [0, 1]);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_future_gives_up_its_place() {
    within_patience(async {
        let database = Database::new(4, LONG).await;
        let open = database.writing(0).await;
        let mut gone = Box::pin(write(database.store.clone(), 1));
        let mut called = Box::pin(write(database.store.clone(), 2));
        let mut last = Box::pin(write(database.store.clone(), 3));
        for waiting in [&mut gone, &mut called, &mut last] {
            waits(waiting.as_mut()).await;
        }
        drop(gone);
        open.commit().await.unwrap();
        // It is its turn, and it does not know yet.
        drop(called);
        last.await.unwrap();
        assert_eq!(database.ids().await, [0, 3]);
    })
    .await;
}

#[tokio::test]
async fn a_future_may_be_dropped_anywhere() {
    within_patience(async {
        let database = Database::new(3, LONG).await;
        for drops in DROPS {
            for times in 0..25 {
                let others = [(); 2].map(|()| tokio::spawn(write(database.store.clone(), 1)));
                let _ = dropped(drops, times, write(database.store.clone(), 2)).await;
                for other in others {
                    other.await.unwrap().unwrap_or_else(|error| panic!("{drops:?} {times}: {error}"));
                }
                write(database.store.clone(), 1).await.unwrap();
            }
        }
    })
    .await;
}

/// How a transaction ends without a COMMIT or ROLLBACK: at the latest when its connection is closed.
#[derive(Clone, Copy, Debug)]
enum Goes {
    Dropped,
    Closed,
}

#[tokio::test]
async fn the_next_one_begins_after_the_rollback() {
    within_patience(async {
        let database = Database::new(4, LONG).await;
        for goes in [Goes::Dropped, Goes::Closed] {
            for _ in 0..20 {
                let open = database.writing(0).await;
                let mut connection = open.connection().await.unwrap();
                // What takes time to undo.
                let many = "INSERT INTO entry (id) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n";
                sqlx::raw_sql(many).execute(&mut *connection).await.unwrap();
                if let Goes::Closed = goes {
                    std::mem::forget(connection.begin().await.unwrap());
                }
                drop(connection);
                let mut next = pin!(write(database.store.clone(), 1));
                waits(next.as_mut()).await;
                match goes {
                    Goes::Dropped => drop(open),
                    Goes::Closed => open.roll_back().await.unwrap(),
                }
                next.await.unwrap_or_else(|error| panic!("{goes:?}: {error}"));
            }
        }
        assert_eq!(database.ids().await, [1; 40]);
    })
    .await;
}

#[tokio::test]
async fn a_begin_that_fails_lets_the_next_one_go_on() {
    within_patience(async {
        let database = Database::new(4, LONG).await;
        let other = SqlitePool::connect_with(options(&database.directory)).await.unwrap();
        let elsewhere = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let error = write(database.store.clone(), 1).await.unwrap_err();
        assert!(is_transient(&*error) && error.to_string().contains("locked"), "{error}");
        elsewhere.commit().await.unwrap();
        write(database.store.clone(), 2).await.unwrap();
        assert_eq!(database.ids().await, [2]);
    })
    .await;
}

#[tokio::test]
async fn the_connection_goes_from_one_to_the_next() {
    within_patience(async {
        let database = Database::new(4, LONG).await;
        let open = database.writing(0).await;
        let mut writers: Vec<_> = (1..=9).map(|id| Box::pin(write(database.store.clone(), id))).collect();
        for writer in &mut writers {
            waits(writer.as_mut()).await;
        }
        let before = database.acquired.load(Ordering::SeqCst);
        open.commit().await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(database.acquired.load(Ordering::SeqCst), before);
        assert_eq!(database.ids().await, (0..=9).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn the_only_connection_does_not_stay_with_the_writers() {
    within_patience(async {
        let database = Database::new(1, LONG).await;
        let open = database.writing(0).await;
        let mut writer = pin!(write(database.store.clone(), 1));
        waits(writer.as_mut()).await;
        let mut reader = pin!(database.ids());
        waits(reader.as_mut()).await;
        open.commit().await.unwrap();
        assert_eq!(reader.await, [0]);
        writer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_closes_gets_its_connection_back() {
    within_patience(async {
        let database = Database::new(4, LONG).await;
        let open = database.writing(0).await;
        let mut writer = pin!(write(database.store.clone(), 1));
        waits(writer.as_mut()).await;
        let mut closing = pin!(database.pool.close());
        waits(closing.as_mut()).await;
        open.commit().await.unwrap();
        closing.await;
        let error = writer.await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(sqlx::Error::PoolClosed)), "{error}");
    })
    .await;
}
