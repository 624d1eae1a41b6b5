use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use uuid::Uuid;

use crate::ServerProcess;

/// A PostgreSQL server of a test's own: a new cluster on a free port of the loopback interface.
///
/// It finds the server's programs on the `PATH` or where Debian has them; `scripts/install-servers` installs them. The
/// server refuses to run as root: if this program runs as root, the server runs as the user `nobody`.
///
/// # Guarantees
///
/// - The port is the same for the life of the value, and the data survive all of its methods.
/// - When [`start`](Self::start) or [`restart`](Self::restart) returns, the server accepts connections.
/// - When [`kill`](Self::kill) or [`stop_fast`](Self::stop_fast) returns, none of the server's processes is left.
/// - A transaction survives a [`kill`](Self::kill) once its commit was confirmed, even without `fsync`: only a system
///   that crashes loses what it has not written.
/// - All methods may be called from several threads.
/// - Dropping the value kills the server, even a paused one, and removes its files. One empty cluster for each version
///   of the server stays in the directory for temporary files: new clusters are copies of it.
///
/// # Example
///
/// ```
/// use diator_testkit::Postgres;
///
/// let postgres = Postgres::start(&["max_connections=20"]);
/// postgres.psql("CREATE TABLE orders (id bigint); INSERT INTO orders VALUES (7)");
/// postgres.kill();
/// postgres.restart();
/// assert_eq!(postgres.psql("SELECT id FROM orders"), "7");
/// ```
#[derive(Debug)]
pub struct Postgres {
    process: ServerProcess,
    programs: PathBuf,
    directory: Directory,
}

impl Postgres {
    /// Starts a server; each setting is a `name=value` of its configuration.
    ///
    /// The superuser `postgres` needs no password. `fsync` is off unless a setting turns it on.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let programs = programs();
        let directory = Directory::new();
        directory.fill(&programs);
        let (server, owner, data) = (programs.join("postgres"), directory.owner, directory.data());
        let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let process = ServerProcess::start("ready to accept connections", move |port| {
            let mut command = owner.command(&server);
            command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
            // What lies outside of its directory would survive a kill.
            command.args(["-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap"]);
            command.args(["-c", "fsync=off"]);
            for setting in &settings {
                command.args(["-c", setting]);
            }
            command
        });
        Self { process, programs, directory }
    }

    /// The port at which the server listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// The URL for the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port())
    }

    /// Runs statements with `psql`, which shares no code with a driver; the rows as lines, with `|` between the columns.
    ///
    /// # Panics
    ///
    /// If the server is not there or refuses a statement.
    pub fn psql(&self, statements: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &self.url(), "-c", statements]);
        run(&mut command).trim_end().to_owned()
    }

    /// Ends all processes of the server at once, as `kill -9` does; does nothing if the server does not run.
    pub fn kill(&self) {
        if let Some(id) = self.process.id() {
            // Who is stopped starts no other process.
            self.process.pause();
            let others = children(id);
            signal("-KILL", &others);
            self.process.kill();
            while processes().iter().any(|process| others.contains(&process.id) && !process.ended()) {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// Ends the server in order, but without waiting for its clients: their transactions are rolled back.
    ///
    /// An update of the server does the same. The call does nothing if the server does not run.
    ///
    /// # Panics
    ///
    /// If the server is paused.
    pub fn stop_fast(&self) {
        if let Some(id) = self.process.id() {
            assert!(!processes().iter().any(|process| process.id == id && process.stopped()), "the server is paused");
            self.process.interrupt();
        }
    }

    /// Starts the server again with the same settings, on the same port and with its data.
    ///
    /// # Panics
    ///
    /// If the server does not start, for example because it was neither [killed](Self::kill) nor
    /// [stopped](Self::stop_fast) before.
    pub fn restart(&self) {
        self.process.restart();
    }

    /// Stops all processes of the server in the middle of whatever they do; its connections stay open, and the system
    /// still accepts new ones.
    ///
    /// # Panics
    ///
    /// If the server does not run.
    pub fn pause(&self) {
        self.process.pause();
        signal("-STOP", &self.others());
    }

    /// Lets the server go on.
    ///
    /// # Panics
    ///
    /// If the server does not run.
    pub fn resume(&self) {
        signal("-CONT", &self.others());
        self.process.resume();
    }

    /// One for each connection, and some for the server itself.
    fn others(&self) -> Vec<u32> {
        children(self.process.id().expect("it runs"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        // A server that was killed leaves a small piece of memory behind, of which a system has no more than some thousands.
        let lock = fs::read_to_string(self.directory.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(segment) = lock.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) {
            let _ = Command::new("ipcrm").args(["-m", segment]).stderr(Stdio::null()).status();
        }
    }
}

/// The folder of the server's programs.
fn programs() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    // `postgres` may be a link there, and `initdb` is beside what it leads to.
    let on_path = env::split_paths(&path).filter_map(|folder| folder.join("postgres").canonicalize().ok());
    let on_path = on_path.filter_map(|program| program.parent().map(Path::to_owned));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut debian: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    on_path
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").is_file())
        .expect("PostgreSQL is not installed, run scripts/install-servers")
}

/// The user who runs the server.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: u32,
    group: u32,
    /// The program's own user is root, and it has to become this one.
    becomes: bool,
}

impl Owner {
    fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        if self.becomes {
            command.uid(self.user).gid(self.group);
        }
        command
    }
}

/// A directory of the server's own, which goes with this value.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    owner: Owner,
}

impl Directory {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("diator-postgres-{}", Uuid::now_v7()));
        fs::create_dir(&path).expect("the directory for temporary files can be written");
        let made = fs::metadata(&path).expect("it is there");
        let owner = if made.uid() == 0 {
            let id = |which| run(Command::new("id").args([which, "nobody"])).trim().parse().expect("it is a number");
            Owner { user: id("-u"), group: id("-g"), becomes: true }
        } else {
            Owner { user: made.uid(), group: made.gid(), becomes: false }
        };
        let directory = Self { path, owner };
        if owner.becomes {
            chown(&directory.path, Some(owner.user), Some(owner.group)).expect("root may do that");
        }
        directory
    }

    fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Makes an empty cluster, which takes a second, or copies the one that was made first.
    fn fill(&self, programs: &Path) {
        let command = |program: &Path| {
            let mut command = self.owner.command(program);
            command.current_dir(&self.path);
            command
        };
        let version = run(command(&programs.join("postgres")).arg("--version"));
        // As in "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
        let version = version.split_whitespace().nth(2).expect("it names its version");
        // One file, of which nothing can be missing.
        let template = env::temp_dir().join(format!("diator-postgres-{version}-{}.tar", self.owner.user));
        if fs::symlink_metadata(&template).is_ok_and(|file| file.is_file() && file.uid() == self.owner.user) {
            run(command(Path::new("tar")).arg("-xf").arg(&template));
            return;
        }
        let mut initdb = command(&programs.join("initdb"));
        initdb.args([
            "--pgdata=data",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        run(&mut initdb);
        run(command(Path::new("tar")).args(["-cf", "template.tar", "data"]));
        // Another process may have made it meanwhile, and both are the same.
        let _ = fs::rename(self.path.join("template.tar"), template);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Runs a program to its end, and returns what it wrote.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.unwrap_or_else(|error| panic!("{} cannot be started: {error}", command.get_program().display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {errors}", output.status);
    String::from_utf8(output.stdout).expect("it writes UTF-8")
}

struct Process {
    id: u32,
    parent: u32,
    state: char,
}

impl Process {
    /// Nobody may have asked yet how it ended.
    fn ended(&self) -> bool {
        self.state == 'Z'
    }

    fn stopped(&self) -> bool {
        self.state == 'T'
    }
}

fn processes() -> Vec<Process> {
    let listed = run(Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid=", "-o", "stat="]));
    let process = |line: &str| {
        let mut words = line.split_whitespace();
        let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Process { id, parent, state: words.next()?.chars().next()? })
    };
    listed.lines().filter_map(process).collect()
}

/// The children of a process that is told to stop, once it has.
fn children(id: u32) -> Vec<u32> {
    loop {
        let processes = processes();
        if processes.iter().any(|process| process.id == id && (process.stopped() || process.ended())) {
            return processes.iter().filter(|process| process.parent == id).map(|process| process.id).collect();
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn signal(signal: &str, processes: &[u32]) {
    // Some may have ended meanwhile, which it complains about.
    let ids = processes.iter().map(u32::to_string);
    let status = Command::new("kill").arg(signal).args(ids).stderr(Stdio::null()).status();
    status.expect("`kill` is there");
}
