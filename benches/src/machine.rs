//! What the machine and this process do meanwhile.

use std::fs;

/// How many processes wanted to run during the last minute, on average.
#[must_use]
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// How many hundredths of a second this process has computed, in all of its threads.
///
/// # Panics
///
/// On a system that has no `/proc`.
#[must_use]
pub fn processor_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The name of the program comes before, in brackets.
    let (_, fields) = stat.rsplit_once(')').expect("it has a name");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("it is a number")).sum()
}
