//! Plays runs from seeds, and prints those that break a promise.
//!
//! ```sh
//! cargo run -p diator-simulation -- --runs 100000      # from seed 0 on
//! cargo run -p diator-simulation -- --seed 17 --trace  # one of them, with everything that happened
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diator_simulation::{Control, run, run_control};

/// A run takes a millisecond or two; one that takes so long spins.
const PATIENCE: Duration = Duration::from_secs(60);

static SEED: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let (mut arguments, mut again) = (std::env::args().skip(1), String::new());
    let (mut first, mut runs, mut trace, mut control) = (0, 1_000, false, None);
    while let Some(argument) = arguments.next() {
        match (&*argument, &mut first, &mut runs) {
            ("--trace", ..) => trace = true,
            ("--control", ..) => {
                let name = arguments.next().unwrap_or_default();
                control = control_named(&name);
                if control.is_none() {
                    return usage();
                }
                again = format!(" --control {name}");
            }
            ("--seed", first, runs) => match number(arguments.next()) {
                Some(number) => (*first, *runs) = (number, 1),
                None => return usage(),
            },
            ("--from", first, _) => match number(arguments.next()) {
                Some(number) => *first = number,
                None => return usage(),
            },
            ("--runs", _, runs) => match number(arguments.next()) {
                Some(number) => *runs = number,
                None => return usage(),
            },
            _ => return usage(),
        }
    }
    std::thread::spawn(watch);
    let (begun, mut failed) = (Instant::now(), 0);
    let mut seen = [0; 4];
    let mut met = BTreeMap::<_, u64>::new();
    for seed in first..first + runs {
        SEED.store(seed, Ordering::Relaxed);
        let run = control.map_or_else(|| run(seed), |control| run_control(seed, control));
        if trace {
            print!("{}", run.trace);
        }
        for what in run.trace.met() {
            *met.entry(what).or_default() += 1;
        }
        let now = [run.locks.judged, run.locks.excused, run.leases.judged, run.leases.excused];
        seen.iter_mut().zip(now).for_each(|(seen, now)| *seen += now);
        if !run.broken.is_empty() {
            failed += 1;
            print!("{run}  again: cargo run -p diator-simulation -- --seed {seed}{again} --trace\n\n");
        }
    }
    for (what, runs) in met {
        println!("{runs:>8} runs: {what}");
    }
    let [locks, excused, leases, excused_leases] = seen;
    println!(
        "{locks} extended locks must not have run out; {excused} locks of what was in hand ran out with an excuse"
    );
    println!("{leases} extended leases must not have run out; {excused_leases} leases ran out with an excuse");
    println!("{runs} runs from seed {first} in {:.1} s: {failed} broke a promise", begun.elapsed().as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn number(argument: Option<String>) -> Option<u64> {
    argument?.parse().ok()
}

fn control_named(name: &str) -> Option<Control> {
    match name {
        "ack-first" => Some(Control::AckFirst),
        "largest-offset" => Some(Control::LargestOffset),
        "no-extension" => Some(Control::NoExtension),
        "unbounded-credit" => Some(Control::UnboundedCredit),
        "dead-letters" => Some(Control::DeadLetters),
        "wrong-order" => Some(Control::WrongOrder),
        "gives-up-early" => Some(Control::GivesUpEarly),
        "reads-on" => Some(Control::ReadsOn),
        "puts-later" => Some(Control::PutsLater),
        "puts-without-key" => Some(Control::PutsWithoutKey),
        "settles-first" => Some(Control::SettlesFirst),
        "not-fenced" => Some(Control::NotFenced),
        "no-lease-extension" => Some(Control::NoLeaseExtension),
        "same-generation" => Some(Control::SameGeneration),
        _ => None,
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: simulate [--runs N] [--from SEED] [--seed SEED] [--trace] \
         [--control ack-first|largest-offset|no-extension|unbounded-credit|dead-letters|wrong-order|gives-up-early|reads-on|\
         puts-later|puts-without-key|settles-first|not-fenced|no-lease-extension|same-generation]"
    );
    ExitCode::FAILURE
}

/// Ends the program when a run does not end.
fn watch() {
    let (mut seed, mut since) = (u64::MAX, Instant::now());
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = SEED.load(Ordering::Relaxed);
        if now != seed {
            (seed, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            println!("seed {seed}: the run does not end");
            std::process::exit(1);
        }
    }
}
