//! Each drill of the inbox in its short form, on both databases, and its negative controls.

use diator_faults::inbox::DRILLS;
use diator_faults::inbox::drills::controls;
use diator_faults::{Drill, Form, Kind, Row};

macro_rules! drills {
    ($($test:ident: $name:literal;)*) => {
        $(mod $test {
            #[test]
            fn postgres() {
                super::run($name, super::Kind::Postgres);
            }

            #[test]
            fn sqlite() {
                super::run($name, super::Kind::Sqlite);
            }
        })*

        #[test]
        fn no_drill_is_forgotten() {
            assert_eq!(DRILLS.iter().map(|drill| drill.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

drills! {
    killed_after_taking: "kill -9 after taking";
    killed_inside_the_handler: "kill -9 inside the handler";
    killed_in_mid_commit: "kill -9 in mid COMMIT";
    killed_after_the_commit: "kill -9 after the handler's commit";
    killed_before_the_ack: "kill -9 before the ack";
    killed_in_mid_ack: "kill -9 with the ack on its way";
    killed_at_random: "kill -9 at random instants";
    killed_between_dead_letter_and_ack: "kill -9 between dead letter and ack";
    killed_in_mid_schedule: "kill -9 in mid schedule";
    killed_in_mid_replay: "kill -9 in mid replay";
    killed_beside_parked_keys: "kill -9 beside parked keys, replayed";
    database_down: "database down under load";
    database_restarted: "database restarted under load";
    cut_in_mid_commit: "connection cut in mid COMMIT";
    serialization_failures: "serialization failures";
    deadlocks: "deadlocks";
    exhausted_pool: "exhausted pool";
    owner_stopped: "owner stopped with an open inbox row";
    clocks_an_hour_off: "clocks an hour off";
    unreliable_engine: "engine cut, locks lost, answers lost";
    duplicates: "duplicates ×8, in other order, with another body";
    poison: "one poison in 1,000, replayed";
    handler_hung: "a handler hung for ever, replayed";
    too_old: "retention shorter than a redelivery";
}

fn run(name: &str, kind: Kind) {
    let row = Drill::named(DRILLS, name).run(kind, Form::Short);
    println!("{row}");
    row.assert_holds();
}

macro_rules! controls {
    ($($control:ident: $invariant:literal;)*) => { $(
        #[test]
        fn $control() {
            violates(&controls::$control(), $invariant);
        }
    )* };
}

controls! {
    has_no_inbox: "once";
    notes_outside: "kept";
    has_no_outbox: "events";
    acks_early: "kept";
    keeps_late: "kept";
    parks_nothing: "ordered";
    replays_without_generation: "replayed";
    forgets_early: "once";
}

fn violates(row: &Row, invariant: &str) {
    println!("{row}");
    assert!(row.violates(invariant), "the judge sees nothing of `{invariant}`: {row}");
}
