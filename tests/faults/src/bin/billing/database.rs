use std::any::Any;
use std::time::Duration;

use diator::outbox::{DeadLetters, OutboxStore, StoreSchema};
use diator::{BoxError, Services, async_trait};
use diator_sqlx::{
    Engine, EntersRows, SqlxInbox, SqlxOutbox, SqlxStore, StagesRows, Transaction, Transactional, sqlite_options,
};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Pool, Postgres, Sqlite};

use crate::handlers::{Effect, Ledger};
use crate::settings::Settings;

/// What differs from one database to the other.
#[async_trait]
pub(crate) trait Database: Engine + Transactional
where
    SqlxStore<Self>: OutboxStore + StoreSchema + DeadLetters,
    Transaction<Self>: Ledger + StagesRows + EntersRows,
{
    fn connect(settings: &Settings) -> Result<Pool<Self>, BoxError>;

    /// The tables of the service.
    async fn make_tables(pool: &Pool<Self>) -> Result<(), BoxError>;

    fn services(store: &SqlxStore<Self>) -> Services;

    fn outbox(store: &SqlxStore<Self>) -> SqlxOutbox<Self, Transaction<Self>>;

    fn inbox(store: &SqlxStore<Self>) -> SqlxInbox<Self, Transaction<Self>>;

    /// The pool, if it is one of PostgreSQL.
    fn postgres(pool: &Pool<Self>) -> Option<&Pool<Postgres>> {
        (pool as &dyn Any).downcast_ref()
    }
}

// No key is unique: whoever writes twice must be seen.
const TABLES: &str = "
CREATE TABLE counters (number bigint PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE noted (handler text, message text, PRIMARY KEY (handler, message));";

macro_rules! database {
    ($database:ty, $seq:literal, $now:literal, |$settings:ident| $connect:expr) => {
        #[async_trait]
        impl Database for $database {
            fn connect($settings: &Settings) -> Result<Pool<Self>, BoxError> {
                Ok($connect)
            }

            async fn make_tables(pool: &Pool<Self>) -> Result<(), BoxError> {
                let mut transaction = pool.begin().await?;
                sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
                let effects = concat!(
                    "CREATE TABLE effects (seq ",
                    $seq,
                    ", message text NOT NULL, handler text NOT NULL, key text NOT NULL, number bigint NOT NULL, \
                     at double precision NOT NULL DEFAULT (",
                    $now,
                    "))"
                );
                sqlx::raw_sql(effects).execute(&mut *transaction).await?;
                for number in 0..20_i64 {
                    let insert = sqlx::query("INSERT INTO counters VALUES ($1, 0)").bind(number);
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

            fn inbox(store: &SqlxStore<Self>) -> SqlxInbox<Self, Transaction<Self>> {
                store.inbox()
            }
        }

        #[async_trait]
        impl Ledger for Transaction<$database> {
            async fn note(&self, effect: &Effect<'_>) -> Result<(), BoxError> {
                let note = sqlx::query("INSERT INTO effects (message, handler, key, number) VALUES ($1, $2, $3, $4)");
                let note = note.bind(effect.message.to_string()).bind(effect.handler).bind(effect.key);
                note.bind(effect.number).execute(&mut *self.connection().await?).await?;
                Ok(())
            }

            async fn count(&self, counter: i64) -> Result<(), BoxError> {
                let count = sqlx::query("UPDATE counters SET version = version + 1 WHERE number = $1").bind(counter);
                count.execute(&mut *self.connection().await?).await?;
                Ok(())
            }
        }
    };
}

database!(Postgres, "bigserial PRIMARY KEY", "extract(epoch FROM clock_timestamp())", |settings| {
    let pool = PgPoolOptions::new().max_connections(settings.connections).acquire_timeout(settings.patience);
    pool.connect_lazy(&settings.database)?
});

database!(Sqlite, "integer PRIMARY KEY AUTOINCREMENT", "(julianday('now') - 2440587.5) * 86400.0", |settings| {
    let path = settings.database.strip_prefix("sqlite://").unwrap_or(&settings.database);
    let options = sqlite_options().filename(path).busy_timeout(settings.busy);
    let pool = SqlitePoolOptions::new().max_connections(settings.connections.min(4));
    pool.acquire_timeout(settings.patience.max(Duration::from_millis(100))).connect_lazy_with(options)
});
