//! The database of a service: PostgreSQL with the features `postgres` and `redis`, or else SQLite.
//!
//! All statements of the shop are understood by both, so nothing else in it knows which one it is.

use diator::BoxError;
use diator_sqlx::SqlxStore;
use sqlx::Pool;
#[cfg(all(feature = "postgres", feature = "redis"))]
use sqlx::Postgres as Engine;
#[cfg(not(all(feature = "postgres", feature = "redis")))]
use sqlx::Sqlite as Engine;

/// The transaction of one message; handlers have it in a field.
pub type Transaction = diator_sqlx::Transaction<Engine>;
/// The connection that statements run on.
pub type Connection = <Engine as sqlx::Database>::Connection;
pub type Row = <Engine as sqlx::Database>::Row;

/// The pool of a service, and the outbox and inbox in the same database.
#[derive(Clone)]
pub struct Database {
    pub pool: Pool<Engine>,
    pub store: SqlxStore<Engine>,
}

impl Database {
    pub fn new(pool: Pool<Engine>) -> Self {
        let store = SqlxStore::new(pool.clone());
        Self { pool, store }
    }

    /// Makes the tables of a service, in place of a migration tool.
    pub async fn create(&self, tables: &'static str) -> Result<(), BoxError> {
        self.store.apply_schema().await?;
        sqlx::raw_sql(tables).execute(&self.pool).await?;
        Ok(())
    }
}
