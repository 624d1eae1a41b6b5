#![cfg(all(feature = "sqlite", unix))]
//! One SQLite file in two processes, with commands and relays in both at once.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use diator::InMemoryBroker;
use diator::container::UnitOfWork;
use diator::outbox::OutboxStore;
use diator::relay::Relay;
use diator_sqlx::{Mode, SqlxStore, Transaction, sqlite_options};
use diator_testkit::within_patience;
use sqlx::{Sqlite, SqlitePool};
use support::Directory;
use support::outbox::{bodies, commit_one, message};

const FILE: &str = "DIATOR_TEST_FILE";
const COMMANDS: usize = 300;

fn store(file: &Path) -> (SqlxStore<Sqlite>, SqlitePool) {
    let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(file));
    (SqlxStore::new(pool.clone()), pool)
}

/// Commits and publishes for a while, and says what it has published.
async fn work(file: &Path, name: &str) -> Vec<String> {
    let (store, _) = store(file);
    store.apply_schema().await.expect("both may make the tables");
    let broker = InMemoryBroker::new();
    let commands = (0..3).map(|worker| {
        let (store, name) = (store.clone(), name.to_owned());
        tokio::spawn(async move {
            for number in 0..COMMANDS / 3 {
                let key = format!("{name}{worker}");
                commit_one(&store, message(Some(&key), format!("{key} {number:03}"))).await;
            }
        })
    });
    let commands: Vec<_> = commands.collect();
    let relay = Relay::new(store.clone()).broker(broker.clone()).poll(Duration::from_millis(50));
    let all_is_sent = async {
        for command in commands {
            command.await.expect("no command finds the file locked");
        }
        while store.status().await.unwrap().sent < 2 * COMMANDS as u64 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    relay.run_until(all_is_sent).await.unwrap();
    bodies(&broker.published())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_file() {
    if let Ok(file) = env::var(FILE) {
        let published = within_patience(work(Path::new(&file), "child")).await;
        fs::write(format!("{file}.published"), published.join("\n")).unwrap();
        return;
    }
    within_patience(async {
        let directory = Directory::new();
        let file = directory.0.join("a.sqlite");
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "two_processes_share_a_file", "--nocapture"]).env(FILE, &file).stdin(Stdio::null());
        let mut child = child.spawn().unwrap();
        let began = Instant::now();
        let ours = work(&file, "parent").await;
        assert!(child.wait().unwrap().success(), "the other process has failed");
        let theirs = fs::read_to_string(directory.0.join("a.sqlite.published")).unwrap();
        let theirs: Vec<_> = theirs.lines().map(str::to_owned).collect();
        println!("{:?}: {} published here, {} there", began.elapsed(), ours.len(), theirs.len());
        let mut all: Vec<_> = ours.iter().chain(&theirs).cloned().collect();
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!((count, all.len()), (2 * COMMANDS, 2 * COMMANDS), "each is published once");
        for published in [ours, theirs] {
            let mut by_key: std::collections::HashMap<_, Vec<_>> = std::collections::HashMap::new();
            for body in published {
                let (key, number) = body.split_once(' ').unwrap();
                by_key.entry(key.to_owned()).or_default().push(number.to_owned());
            }
            assert!(by_key.values().all(|numbers| numbers.is_sorted()), "{by_key:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_query_reads_while_somebody_writes_and_a_command_waits() {
    within_patience(async {
        let directory = Directory::new();
        let (store, pool) = store(&directory.0.join("a.sqlite"));
        store.apply_schema().await.unwrap();
        let writer = Transaction::<Sqlite>::new(pool.clone(), Mode::Write);
        let delete = sqlx::query("DELETE FROM diator_schema");
        delete.execute(&mut *writer.connection().await.unwrap()).await.unwrap();
        let began = Instant::now();
        let reader = Transaction::<Sqlite>::new(pool.clone(), Mode::Read);
        let version: i64 = sqlx::query_scalar("SELECT version FROM diator_schema")
            .fetch_one(&mut *reader.connection().await.unwrap())
            .await
            .unwrap();
        assert_eq!(version, 3, "it sees what was committed");
        assert!(began.elapsed() < Duration::from_secs(1));
        reader.commit().await.map_err(|_| "it commits").unwrap();
        // A relay that finds nothing needs no lock, nor does the health.
        store.lease(diator::outbox::RelayId(uuid::Uuid::now_v7()), 64, Duration::from_secs(30)).await.unwrap();
        store.oldest().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(1));
        let waits = tokio::spawn(async move { commit_one(&store, message(None, 1)).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waits.is_finished());
        writer.roll_back().await.unwrap();
        waits.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_options_are_what_they_say() {
    let directory = Directory::new();
    let file = directory.0.join("made.sqlite");
    let (_, pool) = store(&file);
    let mut connection = pool.acquire().await.unwrap();
    assert!(file.exists());
    for (pragma, expected) in [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5_000)] {
        let text = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let found: i64 = sqlx::query_scalar(text).fetch_one(&mut *connection).await.unwrap();
        assert_eq!(found, expected, "{pragma}");
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(journal, "wal");
}
