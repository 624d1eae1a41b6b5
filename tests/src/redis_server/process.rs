use std::fs::{create_dir_all, remove_dir_all, write};
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::RedisCli;
use crate::broker::{Login, Server};

/// A Redis server on a free port of the loopback interface, which ends with this value.
///
/// Besides the user that needs no password it has `app`, who may do anything, and `reader`, who may not publish.
#[derive(Debug)]
pub struct RedisServer {
    directory: PathBuf,
    port: u16,
    process: Mutex<Option<Child>>,
}

const PASSWORD: &str = "c0rrect-s3cret";
const USERS: &str = "user app on >c0rrect-s3cret ~* &* +@all\n\
                     user reader on >c0rrect-s3cret ~* &* +@all -publish -xadd\n";

impl RedisServer {
    /// Starts a server that keeps nothing; the settings are lines of its configuration file.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not installed or does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let directory = std::env::temp_dir().join(format!("diator-redis-{}", Uuid::now_v7()));
        create_dir_all(&directory).expect("the directory for temporary files can be written");
        let mut server = Self { directory, port: 0, process: Mutex::default() };
        // Another program may take the port between the look and the start.
        for _ in 0..20 {
            server.port = free_port();
            server.configure(settings);
            if let Ok(process) = server.launch() {
                server.process = Mutex::new(Some(process));
                return server;
            }
        }
        panic!("redis-server does not start: {}", server.launch().expect_err("it failed before"));
    }

    fn configure(&self, settings: &[&str]) {
        let (port, directory, settings) = (self.port, self.directory.display(), settings.join("\n"));
        let socket = self.socket();
        let socket = socket.display();
        let text = format!(
            "bind 127.0.0.1\nport {port}\nunixsocket {socket}\ndir {directory}\nsave \"\"\n{USERS}{settings}\n"
        );
        write(self.configuration(), text).expect("its directory can be written");
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("redis.conf")
    }

    /// Starts the process, and waits until it takes connections, or says why not.
    fn launch(&self) -> Result<Child, String> {
        let command =
            Command::new("redis-server").arg(self.configuration()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process =
            command.unwrap_or_else(|error| panic!("redis-server is missing, run scripts/install-servers: {error}"));
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        match until_ready(&mut lines) {
            None => {
                // It blocks once nobody reads.
                std::thread::spawn(move || lines.for_each(drop));
                Ok(process)
            }
            Some(log) => {
                process.kill().and_then(|()| process.wait()).expect("it is ours");
                Err(log)
            }
        }
    }

    /// The URL for the user without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The URL for a user of the conformance suite.
    #[must_use]
    pub fn url_for(&self, login: Login) -> String {
        let (user, password) = match login {
            Login::Right => ("app", PASSWORD),
            Login::WrongPassword => ("app", Login::WRONG),
            Login::NotPermitted => ("reader", PASSWORD),
        };
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// The port it listens to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket it listens to.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join("redis.sock")
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Another client's eyes.
    #[must_use]
    pub fn cli(&self) -> RedisCli {
        RedisCli::new(self.port)
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: &str) {
        let id = self.process().as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().expect("`kill` is there");
        assert!(status.success(), "kill {signal} {id}: {status}");
    }

    fn end(&self) {
        if let Some(mut process) = self.process().take() {
            // SIGKILL, which ends a stopped process too.
            process.kill().and_then(|()| process.wait()).expect("it is ours");
        }
    }
}

/// `None` once it takes connections, or its log if it ends before.
fn until_ready(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    let mut log = String::new();
    for line in lines.map_while(Result::ok) {
        if line.contains("Ready to accept connections") {
            return None;
        }
        log.push_str(&line);
        log.push('\n');
    }
    Some(log)
}

/// A port below those that the system gives to outgoing connections: one of these may not take it after a kill.
fn free_port() -> u16 {
    loop {
        let port = 20_000
            + u16::try_from(Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).as_u128() % 10_000)
                .expect("it is small");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Server for RedisServer {
    fn kill(&self) {
        self.end();
    }

    fn restart(&self) {
        let process = self.launch().unwrap_or_else(|log| panic!("redis-server does not start again: {log}"));
        *self.process() = Some(process);
    }

    fn pause(&self) {
        self.signal("-STOP");
    }

    fn resume(&self) {
        self.signal("-CONT");
    }

    fn permit(&self) {
        self.cli().run(&["ACL", "SETUSER", "reader", "+@all"]);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.end();
        let _ = remove_dir_all(&self.directory);
    }
}
