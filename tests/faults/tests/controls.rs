//! The judge notices what is wrong, and names the invariant.

use diator_faults::Row;
use diator_faults::drills::controls;

macro_rules! controls {
    ($($control:ident: $invariant:literal;)*) => { $(
        #[test]
        fn $control() {
            violates(&controls::$control(), $invariant);
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

fn violates(row: &Row, invariant: &str) {
    println!("{row}");
    assert!(row.violates(invariant), "{row}");
}
