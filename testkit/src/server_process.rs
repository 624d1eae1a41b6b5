use std::fmt;
use std::io::{BufRead, BufReader, Lines, PipeReader, pipe};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// A server of a test's own: a child process on a free port of the loopback interface, which ends with this value.
///
/// A driver's test starts one for each case, and implements its [`broker::Server`](crate::broker::Server) with these
/// methods. The caller must provide the files that the server's command needs.
///
/// # Guarantees
///
/// - The port is the same for the life of the value. It lies below the range that systems give to outgoing
///   connections, so that none of these takes it after a [`kill`](Self::kill).
/// - When [`start`](Self::start) or [`restart`](Self::restart) returns, the server has said that it is ready.
/// - All methods may be called from several threads.
/// - Dropping the value kills the process, also a paused one.
///
/// [`pause`](Self::pause) and [`resume`](Self::resume) call the program `kill`, which Unix systems have.
///
/// # Example
///
/// ```
/// use std::process::Command;
///
/// use diator_testkit::ServerProcess;
///
/// let server = ServerProcess::start("listening", |port| {
///     let mut command = Command::new("sh");
///     command.args(["-c", &format!("echo listening on {port}; exec sleep 60")]);
///     command
/// });
/// let url = format!("example://127.0.0.1:{}", server.port());
/// server.kill();
/// server.restart();
/// assert!(url.ends_with(&server.port().to_string()));
/// ```
pub struct ServerProcess {
    port: u16,
    ready: String,
    command: Box<dyn Fn(u16) -> Command + Send + Sync>,
    process: Mutex<Option<Child>>,
}

impl ServerProcess {
    /// Starts a server, and waits until it writes a line that contains the text `ready`.
    ///
    /// `command` makes the command for a port. It is called for each start, and again with another port if the server
    /// does not start, because another program may have taken the port meanwhile. Standard output and standard error
    /// are both read, to the end.
    ///
    /// # Panics
    ///
    /// If the program is not installed, or ended on 20 ports before it was ready; the text then has its output.
    #[must_use]
    pub fn start(ready: &str, command: impl Fn(u16) -> Command + Send + Sync + 'static) -> Self {
        let ready = ready.to_owned();
        let mut server = Self { port: 0, ready, command: Box::new(command), process: Mutex::default() };
        let mut log = String::new();
        for _ in 0..20 {
            server.port = free_port();
            match server.launch() {
                Ok(process) => {
                    server.process = Mutex::new(Some(process));
                    return server;
                }
                Err(written) => log = written,
            }
        }
        panic!("the server does not start: {log}");
    }

    /// Starts the process, and waits until it is ready, or says what it wrote before it ended.
    fn launch(&self) -> Result<Child, String> {
        let (log, output) = pipe().expect("the system has a pipe left");
        let mut command = (self.command)(self.port);
        let errors = output.try_clone().expect("the system has a handle left");
        let spawned = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let mut process = spawned.unwrap_or_else(|error| {
            panic!("{} cannot be started, is it installed? {error}", command.get_program().display())
        });
        // It holds the pipe, which otherwise had no end.
        drop(command);
        let mut lines = BufReader::new(log).lines();
        match until_ready(&mut lines, &self.ready) {
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

    /// The port that the server was started with.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once, without a chance to save anything; does nothing if the server does not run.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            // SIGKILL, which ends a stopped process too.
            process.kill().and_then(|()| process.wait()).expect("it is ours");
        }
    }

    /// Starts the server again, on the same port.
    ///
    /// # Panics
    ///
    /// If the server does not start, for example because it was not [killed](Self::kill) before.
    pub fn restart(&self) {
        let process = self.launch().unwrap_or_else(|log| panic!("the server does not start again: {log}"));
        *self.process() = Some(process);
    }

    /// Stops the server in the middle of whatever it does; its connections stay open, and the system still accepts new
    /// ones.
    ///
    /// # Panics
    ///
    /// If the server does not run, or the system has no program `kill`.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets the server go on.
    ///
    /// # Panics
    ///
    /// If the server does not run, or the system has no program `kill`.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Interrupts it, as `Ctrl-C` does, and waits until it has ended.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
        if let Some(mut process) = self.process().take() {
            process.wait().expect("it is ours");
        }
    }

    /// The process, where one was started and not ended.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> Option<u32> {
        self.process().as_ref().map(Child::id)
    }

    fn signal(&self, signal: &str) {
        let id = self.process().as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().expect("`kill` is there");
        assert!(status.success(), "kill {signal} {id}: {status}");
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` once it is ready, or what it wrote if it ends before.
fn until_ready(lines: &mut Lines<BufReader<PipeReader>>, ready: &str) -> Option<String> {
    let mut log = String::new();
    for line in lines.map_while(Result::ok) {
        if line.contains(ready) {
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
        let drawn = Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).as_u128();
        let port = 20_000 + u16::try_from(drawn % 10_000).expect("it is small");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl fmt::Debug for ServerProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerProcess")
            .field("port", &self.port)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
