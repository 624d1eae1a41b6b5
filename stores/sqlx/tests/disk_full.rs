//! A COMMIT on a full disk, on a file system in memory; where the tests may not mount one, they say so and prove nothing.
#![cfg(all(feature = "sqlite", target_os = "linux"))]

mod support;

use std::fs;
use std::process::Command;

use diator::container::{CommitError, CommitOutcome, UnitOfWork};
use diator_sqlx::{Mode, Transaction, sqlite_options};
use diator_testkit::within_patience;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Sqlite, SqlitePool};

use crate::support::Directory;

/// A small disk, unmounted with the test.
struct Disk(Directory);

impl Disk {
    fn mount() -> Option<Self> {
        let directory = Directory::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&directory.0);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        eprintln!("no file system can be mounted here: nothing is tried");
        None
    }

    /// Until not a page is left.
    fn fill(&self) {
        let written = fs::write(self.0.0.join("filler"), vec![1; 1 << 20]);
        assert!(written.is_err(), "the disk is larger than it should be");
    }

    fn free(&self) {
        fs::remove_file(self.0.0.join("filler")).unwrap();
    }

    async fn pool(&self) -> SqlitePool {
        let options = sqlite_options().filename(self.0.0.join("database"));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        sqlx::raw_sql("CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)").execute(&pool).await.unwrap();
        pool
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

/// What becomes of a transaction whose disk is full when it commits.
async fn commit_when_full(disk: &Disk, pool: &SqlitePool, before: &'static str) -> CommitError {
    let transaction = Transaction::<Sqlite>::new(pool.clone(), Mode::Write);
    let mut connection = transaction.connection().await.unwrap();
    sqlx::raw_sql(before).execute(&mut *connection).await.unwrap();
    let insert = sqlx::query("INSERT INTO entry VALUES (1, ?)").bind("x".repeat(200_000));
    insert.execute(&mut *connection).await.unwrap();
    drop(connection);
    disk.fill();
    transaction.commit().await.expect_err("the disk is full")
}

async fn count(pool: &SqlitePool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM entry").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_commit_on_a_full_disk_rolls_back() {
    let Some(disk) = Disk::mount() else { return };
    within_patience(async {
        let pool = disk.pool().await;
        let error = commit_when_full(&disk, &pool, "").await;
        assert_eq!(error.outcome(), CommitOutcome::RolledBack, "{error:?}");
        assert_eq!(count(&pool).await, 0);
        disk.free();
        sqlx::query("INSERT INTO entry VALUES (2, 'next')").execute(&pool).await.unwrap();
        assert_eq!(count(&pool).await, 1);
    })
    .await;
}

/// Of several files one can have committed before the disk of the next one is full.
#[tokio::test]
async fn with_temporary_tables_nobody_knows() {
    let Some(disk) = Disk::mount() else { return };
    within_patience(async {
        let pool = disk.pool().await;
        let error = commit_when_full(&disk, &pool, "CREATE TEMP TABLE scratch (id INTEGER)").await;
        assert_eq!(error.outcome(), CommitOutcome::Unknown, "{error:?}");
        assert_eq!(count(&pool).await, 0);
    })
    .await;
}
