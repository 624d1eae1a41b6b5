//! Runs the drills in their long form, and prints the table of `docs/reliability.md`.
//!
//! `drill [--short] [part of a name] …` runs those whose name has one of the parts, or all. The exit code is 1 if an invariant was
//! violated.

use std::panic::catch_unwind;
use std::process::ExitCode;

use diator_faults::{DRILLS, Form, Row};

fn main() -> ExitCode {
    let (flags, parts): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let form = if flags.iter().any(|flag| flag == "--short") { Form::Short } else { Form::Long };
    println!("{}", Row::HEAD);
    let mut all_hold = true;
    for drill in DRILLS.iter().filter(|drill| parts.is_empty() || parts.iter().any(|part| drill.name.contains(part))) {
        for &kind in drill.on {
            match catch_unwind(|| drill.run(kind, form)) {
                Ok(row) => {
                    println!("{row}");
                    row.violated.iter().for_each(|(name, text)| eprintln!("{name}: {text}"));
                    all_hold &= row.violated.is_empty();
                }
                Err(_) => {
                    println!("| {} | {kind} | | | | | | did not come to its end |", drill.name);
                    all_hold = false;
                }
            }
        }
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
