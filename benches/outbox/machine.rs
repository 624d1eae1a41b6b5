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

/// How many processes wanted to run during the last minute, on average.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// How many hundredths of a second this process has computed, in all of its threads.
pub(crate) fn processor_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The name of the program comes before, in brackets.
    let (_, fields) = stat.rsplit_once(')').expect("it has a name");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("it is a number")).sum()
}
