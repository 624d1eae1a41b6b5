use std::any::Any;
use std::time::Duration;

use diator::outbox::{DeadLetters, OutboxStore, StoreSchema};
use diator::{BoxError, Services, async_trait};
use diator_sqlx::{Engine, SqlxOutbox, SqlxStore, StagesRows, Transaction, Transactional, sqlite_options};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Pool, Postgres, Sqlite};

use crate::orders::OrderBook;
use crate::settings::Settings;

/// What differs from one database to the other.
pub(crate) trait Database: Engine + Transactional
where
    SqlxStore<Self>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<Self>: OrderBook + StagesRows,
{
    async fn connect(settings: &Settings) -> Result<Pool<Self>, BoxError>;

    /// The tables of the shop.
    async fn make_tables(pool: &Pool<Self>, keys: usize) -> Result<(), BoxError>;

    /// The pool, if it is one of PostgreSQL.
    fn postgres(pool: &Pool<Self>) -> Option<&Pool<Postgres>> {
        (pool as &dyn Any).downcast_ref()
    }

    fn services(store: &SqlxStore<Self>) -> Services;

    fn outbox(store: &SqlxStore<Self>) -> SqlxOutbox<Self, Transaction<Self>>;
}

const TABLES: &str = "
CREATE TABLE counters (key text PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, key text NOT NULL, version bigint NOT NULL);";

macro_rules! database {
    ($database:ty, |$settings:ident| $connect:expr) => {
        impl Database for $database {
            async fn connect($settings: &Settings) -> Result<Pool<Self>, BoxError> {
                Ok($connect)
            }

            async fn make_tables(pool: &Pool<Self>, keys: usize) -> Result<(), BoxError> {
                let mut transaction = pool.begin().await?;
                sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
                // Keys of one partition are spread thinly.
                for key in 0..keys * 100 {
                    let insert = sqlx::query("INSERT INTO counters VALUES ($1, 0)").bind(format!("k{key}"));
                    insert.execute(&mut *transaction).await?;
                }
                Ok(transaction.commit().await?)
            }

            fn services(store: &SqlxStore<Self>) -> Services {
                store.services()
            }

            fn outbox(store: &SqlxStore<Self>) -> SqlxOutbox<Self, Transaction<Self>> {
                store.outbox()
            }
        }

        #[async_trait]
        impl OrderBook for Transaction<$database> {
            async fn number(&self, key: &str) -> Result<i64, BoxError> {
                let sql = "UPDATE counters SET version = version + 1 WHERE key = $1 RETURNING version";
                let number = sqlx::query_scalar(sql).bind(key);
                Ok(number.fetch_one(&mut *self.connection().await?).await?)
            }

            async fn lock(&self, key: &str) -> Result<(), BoxError> {
                let lock = sqlx::query("UPDATE counters SET version = version WHERE key = $1").bind(key);
                lock.execute(&mut *self.connection().await?).await?;
                Ok(())
            }

            async fn add(&self, order: i64, key: &str, version: i64) -> Result<(), BoxError> {
                let insert = sqlx::query("INSERT INTO orders VALUES ($1, $2, $3)").bind(order).bind(key).bind(version);
                insert.execute(&mut *self.connection().await?).await?;
                Ok(())
            }
        }
    };
}

database!(Postgres, |settings| {
    let pool = PgPoolOptions::new().max_connections(settings.connections).acquire_timeout(Duration::from_secs(5));
    pool.connect_lazy(&settings.database)?
});

database!(Sqlite, |settings| {
    let path = settings.database.strip_prefix("sqlite://").unwrap_or(&settings.database);
    let options = sqlite_options().filename(path);
    let options = match settings.pages {
        0 => options,
        pages => options.pragma("max_page_count", pages.to_string()),
    };
    let pool = SqlitePoolOptions::new().max_connections(settings.connections.min(4));
    pool.acquire_timeout(Duration::from_secs(10)).connect_lazy_with(options)
});
