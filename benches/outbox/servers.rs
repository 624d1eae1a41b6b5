//! The servers, with the tables that both sides write to.

use std::process::Command;
use std::time::Duration;

use diator_redis::{RedisBroker, RedisConfig};
use diator_sqlx::{SqlxStore, sqlite_options};
use diator_testkit::{Postgres, ServerProcess};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Sqlite, SqlitePool};

use super::machine::Directory;

/// A server with the tables, and a pool of so many connections.
pub(crate) async fn postgres(settings: &[&str], connections: u32) -> (Postgres, PgPool, SqlxStore<sqlx::Postgres>) {
    let server = Postgres::start(settings);
    let pool = PgPoolOptions::new().max_connections(connections).connect(&server.url()).await.expect("it is there");
    let store = SqlxStore::new(pool.clone());
    store.apply_schema().await.expect("it is empty");
    let table = "CREATE TABLE booking (id bigint PRIMARY KEY, guest text NOT NULL, nights integer NOT NULL)";
    sqlx::raw_sql(table).execute(&pool).await.expect("it is empty");
    if settings.contains(&COUNTS_STATEMENTS[0]) {
        sqlx::raw_sql("CREATE EXTENSION pg_stat_statements").execute(&pool).await.expect("Debian has it");
    }
    (server, pool, store)
}

pub(crate) fn fsync(on: bool) -> &'static str {
    if on { "fsync=on" } else { "fsync=off" }
}

/// A file with the tables, and a pool as sqlx makes it.
pub(crate) async fn sqlite(fsync: bool) -> (Directory, SqlitePool, SqlxStore<Sqlite>) {
    let directory = Directory::new();
    let mode = if fsync { SqliteSynchronous::Full } else { SqliteSynchronous::Off };
    let options = sqlite_options().filename(directory.0.join("bookings.db")).synchronous(mode);
    let options = options.busy_timeout(Duration::from_secs(60));
    let pool = SqlitePoolOptions::new().connect_with(options).await.expect("the directory is ours");
    let store = SqlxStore::new(pool.clone());
    store.apply_schema().await.expect("it is empty");
    let table = "CREATE TABLE booking (id INTEGER PRIMARY KEY, guest TEXT NOT NULL, nights INTEGER NOT NULL)";
    sqlx::raw_sql(table).execute(&pool).await.expect("it is empty");
    (directory, pool, store)
}

pub(crate) fn redis() -> (ServerProcess, String) {
    let server = ServerProcess::start("Ready to accept connections", |port| {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        command
    });
    let url = format!("redis://127.0.0.1:{}", server.port());
    (server, url)
}

pub(crate) const STREAM: &str = "diator:events";

pub(crate) fn broker(url: &str) -> RedisBroker {
    RedisBroker::new(RedisConfig::streams(url).untrimmed()).expect("it is right")
}

/// A server that counts what it executes.
pub(crate) const COUNTS_STATEMENTS: [&str; 1] = ["shared_preload_libraries=pg_stat_statements"];
