//! Runs the drills in their long form, and prints the tables of `docs/reliability.md`.
//!
//! `drill [--short] [--inbox | --outbox] [part of a name] …` runs those whose name has one of the parts, or all. The exit code is 1 if
//! an invariant was violated.

use std::fmt::Display;
use std::panic::catch_unwind;
use std::process::ExitCode;

use diator_faults::{DRILLS, Form, Kind, Row, inbox};

fn main() -> ExitCode {
    let (flags, parts): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let has = |wanted: &str| flags.iter().any(|flag| flag == wanted);
    let is_wanted = |name: &str| parts.is_empty() || parts.iter().any(|part| name.contains(part));
    let form = if has("--short") { Form::Short } else { Form::Long };
    let mut all_hold = true;
    if !has("--inbox") {
        println!("{}", Row::HEAD);
        for drill in DRILLS.iter().filter(|drill| is_wanted(drill.name)) {
            for &kind in drill.on {
                let row = catch_unwind(|| drill.run(kind, form)).ok();
                all_hold &= print(drill.name, kind, 6, row.as_ref(), row.as_ref().map(|row| &row.violated));
            }
        }
    }
    if !has("--outbox") {
        println!("{}", inbox::Row::HEAD);
        let mut messages = 0;
        for drill in inbox::DRILLS.iter().filter(|drill| is_wanted(drill.name)) {
            for kind in inbox::Drill::ON {
                let row = catch_unwind(|| drill.run(kind, form)).ok();
                messages += row.as_ref().map_or(0, inbox::Row::messages);
                all_hold &= print(drill.name, kind, 8, row.as_ref(), row.as_ref().map(|row| &row.violated));
            }
        }
        println!("{messages} messages were published");
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the drill came to its end, and all holds.
fn print(
    name: &str,
    kind: Kind,
    columns: usize,
    row: Option<&impl Display>,
    violated: Option<&Vec<(String, String)>>,
) -> bool {
    let Some((row, violated)) = row.zip(violated) else {
        println!("| {name} | {kind} |{} did not come to its end |", " |".repeat(columns - 1));
        return false;
    };
    println!("{row}");
    violated.iter().for_each(|(invariant, text)| eprintln!("{invariant}: {text}"));
    violated.is_empty()
}
