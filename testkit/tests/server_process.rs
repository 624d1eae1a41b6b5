//! A server process starts, ends, stops and goes on as it is told.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diator_testkit::ServerProcess;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A server that writes its process id and its port into a file, and then that it is ready.
fn server(file: &str) -> ServerProcess {
    let file = file.to_owned();
    ServerProcess::start("it is ready", move |port| {
        shell(&format!("echo $$ {port} >{file}; echo loading; echo now it is ready >&2; exec sleep 600"))
    })
}

fn temporary(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"))
}

/// The id and the port that the process wrote last.
fn written(file: &str) -> (String, u16) {
    let text = fs::read_to_string(file).unwrap();
    let (id, port) = text.trim().split_once(' ').unwrap();
    (id.to_owned(), port.parse().unwrap())
}

/// The letter that Linux has for the state of a process; none if there is no such process.
fn state(id: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// A signal takes its time.
fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not happen");
        thread::yield_now();
    }
}

#[test]
fn a_killed_one_comes_back_on_its_port() {
    let file = temporary("restarted");
    let server = server(&file);
    let (first, port) = written(&file);
    assert_eq!((server.port(), state(&first).is_some()), (port, true));
    server.kill();
    assert_eq!(state(&first), None);
    server.kill();
    server.restart();
    let (second, port) = written(&file);
    assert_ne!(second, first);
    assert_eq!(server.port(), port);
    drop(server);
    assert_eq!(state(&second), None);
}

#[test]
fn a_paused_one_goes_on_and_can_be_killed() {
    let file = temporary("paused");
    let server = server(&file);
    let (id, _) = written(&file);
    server.pause();
    until(|| state(&id) == Some('T'));
    server.resume();
    until(|| state(&id).is_some_and(|state| state != 'T'));
    server.pause();
    drop(server);
    assert_eq!(state(&id), None);
}

#[test]
fn one_that_ends_at_once_is_tried_on_other_ports_and_its_log_is_told() {
    let starts = Arc::new(AtomicUsize::new(0));
    let counted = starts.clone();
    let start = move || {
        ServerProcess::start("ready", move |port| {
            counted.fetch_add(1, Ordering::SeqCst);
            shell(&format!("echo the port {port} is taken >&2; exit 1"))
        })
    };
    let panic = catch_unwind(AssertUnwindSafe(start)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("the server does not start: the port 2"), "{text}");
    assert_eq!(starts.load(Ordering::SeqCst), 20);
}

#[test]
fn a_program_that_is_missing_is_named() {
    let start = || ServerProcess::start("ready", |_| Command::new("no-such-server"));
    let panic = catch_unwind(start).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("no-such-server cannot be started, is it installed?"), "{text}");
}
