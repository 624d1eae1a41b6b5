use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

/// How to open a file so that a commit survives a loss of power, and several processes can work on it.
///
/// The journal is WAL with `synchronous = FULL`, foreign keys are checked, and whoever finds the file locked waits for 5 seconds.
/// The file is made if it is not there.
#[must_use]
pub fn sqlite_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
}
