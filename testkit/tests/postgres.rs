//! A PostgreSQL server starts, ends, stops and goes on as it is told, and keeps what was committed.
#![cfg(unix)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use diator_testkit::Postgres;

/// A client in the middle of a statement.
fn asleep(postgres: &Postgres) -> Child {
    let mut command = Command::new("psql");
    command.args(["-X", "-d", &postgres.url(), "-c", "SELECT pg_sleep(600)"]);
    let client = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| postgres.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1");
    client
}

fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not happen");
        thread::yield_now();
    }
}

/// The words of a table of all pieces of memory that processes share: their ids are among them.
fn shared_memory() -> Vec<String> {
    let output = Command::new("ipcs").arg("-m").output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

fn table(settings: &[&str]) -> Postgres {
    let postgres = Postgres::start(settings);
    postgres.psql("CREATE TABLE t (id bigint); INSERT INTO t VALUES (1)");
    postgres
}

#[test]
fn a_killed_one_has_what_was_committed_and_loses_its_clients() {
    let postgres = table(&[]);
    let port = postgres.port();
    for round in 2..5 {
        let mut client = asleep(&postgres);
        postgres.kill();
        assert!(!client.wait().unwrap().success());
        postgres.kill();
        postgres.restart();
        postgres.psql(&format!("INSERT INTO t VALUES ({round})"));
    }
    assert_eq!((postgres.psql("SELECT count(*), max(id) FROM t"), postgres.port()), ("4|4".to_owned(), port));
}

#[test]
fn one_that_is_stopped_fast_does_not_wait_for_its_clients() {
    let postgres = table(&[]);
    let mut client = asleep(&postgres);
    postgres.stop_fast();
    assert!(!client.wait().unwrap().success());
    postgres.stop_fast();
    postgres.restart();
    assert_eq!(postgres.psql("SELECT id FROM t"), "1");
}

#[test]
fn a_paused_one_answers_when_it_goes_on_and_can_be_killed() {
    let postgres = table(&[]);
    let mut client = asleep(&postgres);
    postgres.pause();
    assert!(catch_unwind(AssertUnwindSafe(|| postgres.stop_fast())).is_err());
    thread::scope(|scope| {
        let answer = scope.spawn(|| postgres.psql("SELECT id FROM t"));
        thread::sleep(Duration::from_millis(200));
        assert!(!answer.is_finished());
        postgres.resume();
        assert_eq!(answer.join().unwrap(), "1");
    });
    assert!(client.try_wait().unwrap().is_none());
    postgres.pause();
    postgres.kill();
    client.wait().unwrap();
    postgres.restart();
    assert_eq!(postgres.psql("SELECT id FROM t"), "1");
}

#[test]
fn settings_are_the_servers() {
    let postgres = Postgres::start(&[]);
    assert_eq!(postgres.psql("SHOW fsync; SHOW synchronous_commit"), "off\non");
    let postgres = Postgres::start(&["fsync=on", "deadlock_timeout=123ms"]);
    assert_eq!(postgres.psql("SHOW fsync; SHOW deadlock_timeout"), "on\n123ms");
}

#[test]
fn nothing_is_left_of_it() {
    for ends in [Postgres::pause, Postgres::kill, Postgres::stop_fast] {
        let postgres = Postgres::start(&[]);
        let directory = PathBuf::from(postgres.psql("SHOW data_directory"));
        let lock = fs::read_to_string(directory.join("postmaster.pid")).unwrap();
        let segment = lock.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned();
        assert!(shared_memory().contains(&segment));
        let client = asleep(&postgres);
        ends(&postgres);
        drop(postgres);
        assert!(!client.wait_with_output().unwrap().status.success());
        assert!(!directory.parent().unwrap().exists());
        assert!(!shared_memory().contains(&segment));
    }
}
