use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};

/// A SQLite file, removed when it is dropped, and the pool that the services share.
pub(crate) struct Database {
    folder: PathBuf,
    options: SqliteConnectOptions,
    pub(crate) pool: SqlitePool,
}

const SCHEMA: &str = "
    CREATE TABLE entries (number INTEGER PRIMARY KEY);
    CREATE TABLE notes (entry INTEGER REFERENCES entries DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER ends_all BEFORE INSERT ON entries WHEN new.number < 0
        BEGIN SELECT RAISE(ROLLBACK, 'a negative number'); END;
";

impl Database {
    /// With one connection for all messages, so that one which is not given back is missed.
    pub(crate) async fn new() -> Self {
        Self::with(SqliteJournalMode::Wal, SqlitePoolOptions::new().max_connections(1)).await
    }

    pub(crate) async fn with(journal_mode: SqliteJournalMode, pool: SqlitePoolOptions) -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("diator-tests-unit-of-work-{}-{number}", process::id()));
        fs::create_dir(&folder).unwrap();
        let options = SqliteConnectOptions::new().filename(folder.join("test.db"));
        let creating = options.clone().create_if_missing(true).journal_mode(journal_mode);
        sqlx::raw_sql(SCHEMA).execute(&mut SqliteConnection::connect_with(&creating).await.unwrap()).await.unwrap();
        let pool = pool.connect_lazy_with(options.clone());
        Self { folder, options, pool }
    }

    /// A connection that sees only what is committed.
    pub(crate) async fn other(&self) -> SqliteConnection {
        SqliteConnection::connect_with(&self.options).await.unwrap()
    }

    pub(crate) async fn entries(&self) -> Vec<i64> {
        let entries = sqlx::query_scalar("SELECT number FROM entries ORDER BY number");
        entries.fetch_all(&mut self.other().await).await.unwrap()
    }
}

/// Keeps others from something until it is dropped.
pub(crate) async fn hold<'a>(other: &'a mut SqliteConnection, begin: &'static str) -> sqlx::Transaction<'a, Sqlite> {
    let mut transaction = other.begin_with(begin).await.unwrap();
    sqlx::query("SELECT * FROM entries").fetch_all(&mut *transaction).await.unwrap();
    transaction
}

impl Drop for Database {
    fn drop(&mut self) {
        // A connection that is still open keeps its file until it closes.
        let _removed = fs::remove_dir_all(&self.folder);
    }
}
