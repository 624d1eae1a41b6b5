use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::scene::until;

/// A service that drills kill; dropping the value kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    ready: PathBuf,
    log: PathBuf,
}

/// The program of this name, which cargo builds beside this one.
pub(crate) fn program(name: &str) -> Command {
    let own = std::env::current_exe().expect("it has a path");
    let folders = own.ancestors().skip(1).take(2);
    let mut programs = folders.map(|folder| folder.join(name));
    let program = programs.find(|program| program.is_file());
    Command::new(program.unwrap_or_else(|| panic!("cargo builds the program `{name}` with the package")))
}

impl Process {
    /// Starts one, which writes its complaints to this file, and another one beside it when it can be asked to end.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("the folder can be written");
        let ready = log.with_extension("ready");
        command.arg(format!("ready={}", ready.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().expect("the program can be started");
        Self { child, ready, log }
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        // Before that, nobody would hear it.
        until("the process is there", Duration::from_secs(20), || self.ready.exists());
        self.signal("-TERM");
    }

    /// Waits until it has stopped by itself.
    pub fn until_stopped(&self) {
        let status = format!("/proc/{}/stat", self.child.id());
        until("the process has stopped", Duration::from_secs(30), || {
            std::fs::read_to_string(&status).is_ok_and(|status| status.contains(") T "))
        });
    }

    /// Stops it in the middle of whatever it does.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.expect("`kill` is there").success(), "the process runs");
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// It does not.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < until, "the process has not ended after {patience:?}: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it has come to a good end.
    ///
    /// # Panics
    ///
    /// It does not.
    pub fn ends_well(&mut self, patience: Duration) {
        let status = self.wait(patience);
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Asks it to end, and waits until it has come to a good end.
    pub fn stop(&mut self) {
        self.terminate();
        self.ends_well(Duration::from_secs(60));
    }

    /// What it has complained about.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}
