use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use uuid::Uuid;

use crate::Process;

/// A folder that goes with this value, unless a test fails with it; processes of a drill write there.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    stays: Cell<bool>,
    processes: Cell<u32>,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("diator-faults-{name}-{}", Uuid::now_v7()));
        fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Self { path, stays: Cell::new(false), processes: Cell::new(0) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It stays, for whoever looks into it.
    pub(crate) fn keep(&self) {
        self.stays.set(true);
    }

    /// How many processes were started so far.
    pub(crate) fn processes(&self) -> u32 {
        self.processes.get()
    }

    /// Starts a process: this command and a role, `name=value` for each setting, of which the last one of a name counts.
    pub(crate) fn start(&self, mut command: Command, role: &str, settings: &[String]) -> Process {
        let number = self.processes.replace(self.processes.get() + 1);
        command.arg(role).arg(format!("folder={}", self.path.display())).args(settings);
        Process::start(command, self.path.join(format!("{role}-{number}.log")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() || self.stays.get() {
            eprintln!("left for whoever looks into it: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
