//! The simulation in its short form; `scripts/slow` has the long one.

use std::fmt::Write as _;

use diator_simulation::{Control, run, run_control, run_without};

const SHORT: u64 = 500;

#[test]
fn no_run_breaks_a_promise() {
    let mut report = String::new();
    for seed in 0..SHORT {
        let run = run(seed);
        if !run.broken.is_empty() {
            let _ = writeln!(report, "{run}  again: cargo run -p diator-simulation -- --seed {seed} --trace");
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn two_runs_of_a_seed_have_equal_traces() {
    for seed in 0..200 {
        assert_eq!(run(seed).trace.to_string(), run(seed).trace.to_string(), "seed {seed}");
    }
}

#[test]
fn seeds_differ() {
    assert_ne!(run(1).trace, run(2).trace);
}

/// A control breaks this promise in one of the first runs, and a sound endpoint breaks none in the same runs.
#[track_caller]
fn is_found(control: Control, promise: &str) {
    for seed in 0..1_000 {
        let sound = run_without(seed, control);
        assert!(sound.broken.is_empty(), "{sound}");
        if run_control(seed, control).broken.iter().any(|broken| broken.contains(promise)) {
            return;
        }
    }
    panic!("{control:?} is not found");
}

#[test]
fn an_acknowledgement_before_handling_is_found() {
    is_found(Control::AckFirst, "is acknowledged and its handlers are not done");
}

#[test]
fn the_commit_of_the_largest_offset_is_found() {
    is_found(Control::LargestOffset, "is acknowledged, with a later one, and its handlers are not done");
}

#[test]
fn locks_that_run_out_are_found() {
    is_found(Control::NoExtension, "ran out, and the engine would have extended it");
}

#[test]
fn credit_without_bound_is_found() {
    is_found(Control::UnboundedCredit, "asks for 18446744073709551615, with `max_ahead`");
}

#[test]
fn a_dead_letter_of_what_was_handled_is_found() {
    is_found(Control::DeadLetters, "is a dead letter, and it is not so");
}

#[test]
fn handling_in_the_wrong_order_is_found() {
    is_found(Control::WrongOrder, "of its key is not done");
}

#[test]
fn a_partition_that_is_given_up_early_is_found() {
    is_found(Control::GivesUpEarly, "after its partition was given up");
}

#[test]
fn what_outlives_its_process_is_found() {
    is_found(Control::ReadsOn, "has ended, and something of it runs on");
}

#[test]
fn an_acknowledgement_before_the_store_has_the_row_is_found() {
    is_found(Control::PutsLater, "a handler is neither done with it nor has a row");
}

#[test]
fn a_row_without_its_key_is_found() {
    is_found(Control::PutsWithoutKey, "waits, which is earlier of its key");
}

#[test]
fn a_row_that_is_settled_before_its_handler_has_ended_is_found() {
    is_found(Control::SettlesFirst, "is gone, and its handler is not done");
}

#[test]
fn a_lease_that_is_not_fenced_is_found() {
    is_found(Control::NotFenced, "and does not have it");
}

#[test]
fn leases_that_run_out_are_found() {
    is_found(Control::NoLeaseExtension, "ran out, and the store would have extended it");
}

#[test]
fn a_replay_without_a_new_generation_is_found() {
    is_found(Control::SameGeneration, "is gone, and its handler is not done");
}
