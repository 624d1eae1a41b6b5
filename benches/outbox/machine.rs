use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::Instant;

use uuid::Uuid;

use super::plan::Plan;

/// A directory that goes with this value.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("diator-benches-{}", Uuid::now_v7()));
        fs::create_dir(&path).expect("the directory for temporary files can be written");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How often one page can be written to the disk in a second, one after the other.
pub(crate) fn fsyncs_per_second(plan: &Plan) -> f64 {
    let directory = Directory::new();
    let mut file = File::create(directory.0.join("page")).expect("the directory is ours");
    let period = plan.turn * 20;
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < period {
        file.rewind().and_then(|()| file.write_all(&[7; 8192])).and_then(|()| file.sync_data()).expect("there is room");
        count += 1.0;
    }
    count / begun.elapsed().as_secs_f64()
}
