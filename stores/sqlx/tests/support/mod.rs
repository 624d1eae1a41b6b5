//! What the tests of the transaction share.

#![allow(dead_code, reason = "each test takes a part of it")]

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod outbox;

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::{env, fs, process};

use diator_testkit::{ServerProcess, drop_after};

/// How a future is dropped that was pending so many times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Drops {
    /// At once: what it has asked for is on its way.
    Early,
    /// When it is woken: what it has asked for is there, and it has not seen it.
    Late,
    /// After so many polls, whether it was woken or not.
    Polls,
}

pub(crate) const DROPS: [Drops; 3] = [Drops::Early, Drops::Late, Drops::Polls];

/// `Some` if it came to its end before it was dropped.
pub(crate) async fn dropped<F: Future>(drops: Drops, times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut pending = 0;
    if let Drops::Polls = drops {
        return drop_after(times * times, future).await;
    }
    poll_fn(|cx| {
        if matches!(drops, Drops::Late) && pending > times {
            return Poll::Ready(None);
        }
        let polled = future.as_mut().poll(cx).map(Some);
        pending += usize::from(polled.is_pending());
        match drops {
            Drops::Early if polled.is_pending() && pending > times => Poll::Ready(None),
            _ => polled,
        }
    })
    .await
}

/// A directory that goes with the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("diator-transaction-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A PostgreSQL server of the test's own.
pub(crate) struct Postgres {
    process: ServerProcess,
    _directory: Directory,
}

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

impl Postgres {
    pub(crate) fn start(settings: &'static [&'static str]) -> Self {
        let directory = Directory::new();
        let data = directory.0.join("data");
        let run = |command: &mut Command| {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run(Command::new("chown").arg("nobody").arg(&directory.0));
        let mut initdb = as_nobody("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]);
        run(&mut initdb);
        let process = ServerProcess::start("ready to accept connections", move |port| {
            let mut command = as_nobody("postgres");
            command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
            command.args(["-c", "unix_socket_directories=", "-c", "fsync=off"]);
            command.args(settings.iter().flat_map(|setting| ["-c", setting]));
            command
        });
        Self { process, _directory: directory }
    }

    pub(crate) fn port(&self) -> u16 {
        self.process.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port())
    }
}

/// The server refuses to run as root.
fn as_nobody(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", &format!("{PROGRAMS}/{program}")]);
    command.current_dir("/");
    command
}
