use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use diator_testkit::{Postgres, ServerProcess};

use crate::folder::Folder;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// The database of a drill.
#[derive(Debug)]
pub enum Database {
    /// A server of the drill's own.
    Postgres(Postgres),
    /// A file.
    Sqlite(PathBuf),
}

impl Database {
    /// The URL, as the shop and the judge take it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url(),
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
        }
    }

    /// Its name in a table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Sqlite(_) => "SQLite",
        }
    }

    /// Runs statements with `psql` or `sqlite3`; the rows as lines.
    ///
    /// # Panics
    ///
    /// The database is not there or refuses a statement.
    #[must_use]
    pub fn sql(&self, statements: &str) -> String {
        match self {
            Self::Postgres(server) => server.psql(statements),
            Self::Sqlite(path) => {
                let mut sqlite = Command::new("sqlite3");
                sqlite.args(["-batch", "-bail", "-noheader", "-cmd", ".timeout 30000"]).arg(path).arg(statements);
                output(&mut sqlite)
            }
        }
    }

    /// The server.
    ///
    /// # Panics
    ///
    /// It has none.
    #[must_use]
    pub fn server(&self) -> &Postgres {
        match self {
            Self::Postgres(server) => server,
            Self::Sqlite(_) => panic!("a file has no server"),
        }
    }
}

/// What a program writes; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output();
    let done = done.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}

/// A Redis server that writes each message to a file before it answers: what it acknowledged survives a kill.
#[derive(Debug)]
pub struct Redis {
    process: ServerProcess,
    _folder: Folder,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// Redis is not installed.
    #[must_use]
    pub fn start() -> Self {
        let folder = Folder::new("redis");
        let path = folder.path().to_owned();
        let process = ServerProcess::start("Ready to accept connections", move |port| {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
            // With `everysec` it answers before it writes, while the system is busy with an earlier write.
            command.args(["--appendfsync", "always", "--repl-diskless-sync-delay", "0"]).arg("--dir").arg(&path);
            command
        });
        Self { process, _folder: folder }
    }

    /// The port it listens to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it in the middle of whatever it does; its connections stay open.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Starts it again, with what it has acknowledged.
    pub fn restart(&self) {
        self.process.restart();
    }

    /// Runs a command with `redis-cli`.
    ///
    /// # Panics
    ///
    /// The server is not there.
    pub fn cli(&self, command: &[&str]) -> String {
        output(Command::new("redis-cli").args(["-h", "127.0.0.1", "-p", &self.port().to_string()]).args(command))
    }
}
