use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use diator::Committed;

/// What the commands were answered, a line for each order.
///
/// A line is with the system before its task sends another command: it survives the process, and one that is missing was not
/// acknowledged.
pub(crate) struct Answers([Mutex<File>; 3]);

impl Answers {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let open = |name: &str| {
            let file = OpenOptions::new().create(true).append(true).open(folder.join(name))?;
            Ok::<_, io::Error>(Mutex::new(file))
        };
        Ok(Self([open("acknowledged.jsonl")?, open("unknown.jsonl")?, open("failed.jsonl")?]))
    }

    pub(crate) fn write(&self, committed: Committed, orders: std::ops::Range<i64>, key: &str) -> io::Result<()> {
        let file = match committed {
            Committed::Yes => 0,
            Committed::Unknown => 1,
            Committed::No => 2,
        };
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let lines: String =
            orders.map(|order| format!("{{\"order\": {order}, \"key\": \"{key}\", \"at\": {at:.3}}}\n")).collect();
        // One call: no other process comes in between.
        self.0[file].lock().expect("nothing panics with it").write_all(lines.as_bytes())
    }
}
