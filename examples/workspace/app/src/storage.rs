//! Implements the services of the handlers on SQLite.

use std::sync::Arc;

use diator::{BoxError, Services, async_trait};
use diator_sqlx::{SqlxStore, Transaction};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Sqlite, SqlitePool};
use tickets_handlers::{Accounts, Seats};

/// Each message has a transaction of its own, and services that share it.
pub(crate) fn services(pool: SqlitePool) -> Services {
    Services::new()
        .extend(SqlxStore::new(pool).services())
        .scoped(|scope| Ok(SqlSeats(scope.get()?)))
        .alias::<dyn Seats, SqlSeats>(|seats| seats)
        .scoped(|scope| Ok(SqlAccounts(scope.get()?)))
        .alias::<dyn Accounts, SqlAccounts>(|accounts| accounts)
}

struct SqlSeats(Arc<Transaction<Sqlite>>);

#[async_trait]
impl Seats for SqlSeats {
    async fn sell(&self, seat: u32, guest: &str) -> Result<bool, BoxError> {
        let update = sqlx::query("UPDATE seats SET guest = ? WHERE number = ? AND guest IS NULL");
        let sold = update.bind(guest).bind(seat).execute(&mut *self.0.connection().await?).await?;
        Ok(sold.rows_affected() == 1)
    }

    async fn free(&self) -> Result<Vec<u32>, BoxError> {
        let select = sqlx::query_scalar("SELECT number FROM seats WHERE guest IS NULL ORDER BY number");
        Ok(select.fetch_all(&mut *self.0.connection().await?).await?)
    }
}

struct SqlAccounts(Arc<Transaction<Sqlite>>);

#[async_trait]
impl Accounts for SqlAccounts {
    async fn charge(&self, guest: &str, amount: u32) -> Result<(), BoxError> {
        let update = sqlx::query("UPDATE accounts SET balance = balance - ?1 WHERE guest = ?2 AND balance >= ?1");
        let charged = update.bind(amount).bind(guest).execute(&mut *self.0.connection().await?).await?;
        match charged.rows_affected() {
            1 => Ok(()),
            _ => Err(format!("{guest} cannot pay {amount}").into()),
        }
    }
}

/// A database in memory, with three seats and two guests. It lives as long as its one connection.
pub(crate) async fn open() -> Result<SqlitePool, BoxError> {
    let options = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = options.connect("sqlite::memory:").await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await?;
    Ok(pool)
}

const SCHEMA: &str = "
    CREATE TABLE seats (number INTEGER PRIMARY KEY, guest TEXT);
    CREATE TABLE accounts (guest TEXT PRIMARY KEY, balance INTEGER NOT NULL);
    INSERT INTO seats (number) VALUES (1), (2), (3);
    INSERT INTO accounts VALUES ('Ada', 50), ('Bob', 10);
";
