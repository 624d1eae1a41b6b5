use std::fs::{create_dir_all, remove_dir_all, write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use diator_testkit::ServerProcess;
use diator_testkit::broker::{Login, Server};
use uuid::Uuid;

use super::RedisCli;

/// A Redis server on a free port of the loopback interface, which ends with this value.
///
/// Besides the user that needs no password it has `app`, who may do anything, and `reader`, who may not publish.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    directory: Directory,
}

const PASSWORD: &str = "c0rrect-s3cret";
const USERS: &str = "user app on >c0rrect-s3cret ~* &* +@all\n\
                     user reader on >c0rrect-s3cret ~* &* +@all -publish -xadd\n";

impl RedisServer {
    /// Starts a server that keeps nothing; the settings are lines of its configuration file.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not installed (`scripts/install-servers` does that) or does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let directory = Directory::new();
        let (path, settings) = (directory.0.clone(), settings.join("\n"));
        let process = ServerProcess::start("Ready to accept connections", move |port| {
            let mut command = Command::new("redis-server");
            command.arg(configure(&path, port, &settings));
            command
        });
        Self { process, directory }
    }

    /// The URL for the user without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// The URL for a user of the conformance suite.
    #[must_use]
    pub fn url_for(&self, login: Login) -> String {
        let (user, password) = match login {
            Login::Right => ("app", PASSWORD),
            Login::WrongPassword => ("app", Login::WRONG),
            Login::NotPermitted => ("reader", PASSWORD),
        };
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port())
    }

    /// The URL for a user of the conformance suite who finds the server at another address, that of a proxy.
    #[must_use]
    pub fn url_through(&self, proxy: SocketAddr) -> String {
        format!("redis://app:{PASSWORD}@{proxy}")
    }

    /// Makes it a replica of another one; its connections stay open.
    pub fn demote(&self, successor: &Self) {
        self.cli().run(&["REPLICAOF", "127.0.0.1", &successor.port().to_string()]);
    }

    /// The port it listens to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// The socket it listens to.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(self.directory())
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// Another client's eyes.
    #[must_use]
    pub fn cli(&self) -> RedisCli {
        RedisCli::new(self.port())
    }
}

/// Writes the configuration file, and says where it is.
fn configure(directory: &Path, port: u16, settings: &str) -> PathBuf {
    let (file, socket) = (directory.join("redis.conf"), socket(directory));
    let (directory, socket) = (directory.display(), socket.display());
    let text =
        format!("bind 127.0.0.1\nport {port}\nunixsocket {socket}\ndir {directory}\nsave \"\"\n{USERS}{settings}\n");
    write(&file, text).expect("its directory can be written");
    file
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}

/// A directory of the server's own, which goes with this value.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("diator-redis-{}", Uuid::now_v7()));
        create_dir_all(&path).expect("the directory for temporary files can be written");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = remove_dir_all(&self.0);
    }
}

impl Server for RedisServer {
    fn kill(&self) {
        self.process.kill();
    }

    fn restart(&self) {
        self.process.restart();
    }

    fn pause(&self) {
        self.process.pause();
    }

    fn resume(&self) {
        self.process.resume();
    }

    fn permit(&self) {
        self.cli().run(&["ACL", "SETUSER", "reader", "+@all"]);
    }

    fn limit(&self, bytes: usize) {
        self.cli().run(&["CONFIG", "SET", "proto-max-bulk-len", &bytes.to_string()]);
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }
}
