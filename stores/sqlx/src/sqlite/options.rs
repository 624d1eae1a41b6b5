use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

/// Returns options with which a commit survives a loss of power.
///
/// Several processes can work on one file with them.
///
/// | setting | value |
/// |---|---|
/// | `journal_mode` | `WAL` |
/// | `synchronous` | `FULL` |
/// | `foreign_keys` | on |
/// | `busy_timeout` | 5 s: a connection waits this long for a lock on the file, which another process or pool holds |
/// | missing file | SQLite makes it |
///
/// # Example
///
/// ```
/// use diator_sqlx::sqlite_options;
/// use sqlx::SqlitePool;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sqlx::Error> {
/// # let folder = std::env::temp_dir().join(format!("diator-sqlite-options-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("shop.sqlite");
/// let pool = SqlitePool::connect_with(sqlite_options().filename(&path)).await?;
/// let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await?;
/// assert_eq!(journal, "wal");
/// # pool.close().await;
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn sqlite_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
}
