//! Runs the drills in their long form, and prints the tables of `docs/reliability.md`.
//!
//! `drill [--short | --middle] [--outbox] [--inbox] [--chain] [part of a name] …` runs those whose name has one of the parts, or all. The exit code is 1 if
//! an invariant was violated.

use std::fmt::Display;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::process::ExitCode;

use diator_faults::{Drill, Form, Judged, Row, chain, drills, inbox};

fn main() -> ExitCode {
    let (flags, parts): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let has = |wanted: &str| flags.iter().any(|flag| flag == wanted);
    let form = match () {
        () if has("--short") => Form::Short,
        () if has("--middle") => Form::Middle,
        () => Form::Long,
    };
    let is_wanted = |kind: &str| has(kind) || !["--outbox", "--inbox", "--chain"].into_iter().any(has);
    let mut run = Run { form, parts, all_hold: true };
    if is_wanted("--outbox") {
        run.table(drills::COLUMNS, drills::DRILLS);
    }
    if is_wanted("--inbox") {
        let messages = run.table(inbox::COLUMNS, inbox::DRILLS);
        println!("{messages} messages were published");
    }
    if is_wanted("--chain") {
        let orders = run.table(chain::COLUMNS, chain::DRILLS);
        println!("{orders} orders were acknowledged");
    }
    if run.all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Run {
    form: Form,
    parts: Vec<String>,
    all_hold: bool,
}

impl Run {
    /// Runs the drills that are wanted, and prints their table; the answer is how many messages went in.
    fn table<S: Judged, W: Copy + Display + RefUnwindSafe>(&mut self, columns: &[&str], drills: &[Drill<S, W>]) -> u64 {
        println!("{}", Row::head(columns));
        let is_wanted = |name: &str| self.parts.is_empty() || self.parts.iter().any(|part| name.contains(part));
        let mut messages = 0;
        for drill in drills.iter().filter(|drill| is_wanted(drill.name)) {
            for &way in drill.on {
                let Ok(row) = catch_unwind(|| drill.run(way, self.form)) else {
                    let empty = " |".repeat(columns.len() - 1);
                    println!("| {} | {way} |{empty} did not come to its end |", drill.name);
                    self.all_hold = false;
                    continue;
                };
                println!("{row}");
                row.violated.iter().for_each(|(invariant, text)| eprintln!("{invariant}: {text}"));
                self.all_hold &= row.violated.is_empty();
                messages += row.messages;
            }
        }
        messages
    }
}
