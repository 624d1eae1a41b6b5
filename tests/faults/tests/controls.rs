//! The judge notices what is wrong, and names the invariant.

use diator_faults::Row;
use diator_faults::drills::controls;

macro_rules! controls {
    ($($control:ident: $invariant:literal;)*) => { $(
        #[test]
        fn $control() {
            violates(controls::$control, $invariant);
        }
    )* };
}

controls! {
    publishes_early: "I2";
    deletes_early: "I1";
    keeps_cursor: "I1";
    skips_locked: "I4";
    ignores_fence: "I3";
}

/// A wrong program is wrong by chance: whoever is stopped at that moment need not hold anything. A right one is never.
const TRIES: usize = 8;

fn violates(control: fn() -> Row, invariant: &str) {
    for _ in 0..TRIES {
        let row = control();
        println!("{row}");
        if row.violates(invariant) {
            return;
        }
    }
    panic!("{TRIES} times the judge saw nothing of {invariant}");
}
