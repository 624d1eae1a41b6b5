//! Each drill of the chain in its short form, with the order of keys and some also without it, and its negative controls.

use diator_faults::chain::drills::controls;
use diator_faults::chain::{DRILLS, Way};
use diator_faults::{Drill, Form, Row};

macro_rules! drills {
    ($($test:ident: $name:literal, $($way:ident),+;)*) => {
        $(mod $test { $(
            #[test]
            #[expect(non_snake_case, reason = "the order's name")]
            fn $way() {
                super::run($name, super::Way::$way);
            }
        )+ })*

        #[test]
        fn no_drill_is_forgotten() {
            assert_eq!(DRILLS.iter().map(|drill| drill.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

drills! {
    shop_killed_at_fail_points: "kill -9 of the shop at its fail points", PerKey;
    shop_killed_at_random: "kill -9 of the shop at random instants", PerKey;
    relay_killed: "kill -9 of the shop's relay, a process", PerKey;
    billing_killed_at_fail_points: "kill -9 of the billing service at its fail points", PerKey, Unordered;
    billing_killed_at_random: "kill -9 of the billing service at random instants", PerKey;
    subscriber_killed: "kill -9 of the subscriber", PerKey;
    redis_killed: "Redis killed", PerKey, Unordered;
    redis_away: "Redis away for a minute", PerKey;
    redis_stands_still: "Redis standing still for a minute", PerKey;
    redis_failed_over: "Redis failed over", PerKey, Unordered;
    database_of_the_shop_restarted: "the shop's database restarted", PerKey;
    database_of_billing_restarted: "the billing service's database restarted", PerKey;
    database_of_billing_away: "the billing service's database away for a minute", PerKey;
    shop_stopped: "the shop stopped beyond its leases", PerKey;
    billing_stopped: "the billing service stopped beyond its leases", PerKey, Unordered;
    two_consumers: "two consumers, rolling restart", PerKey;
    four_consumers: "four consumers, rolling restart", PerKey;
    published_again: "all published again", PerKey;
    poison: "poison, replayed", PerKey;
}

fn run(name: &str, way: Way) {
    let row = Drill::named(DRILLS, name).run(way, Form::Short);
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
    has_no_outbox: "kept";
    has_no_inbox: "once";
    acks_early: "kept";
    waits_for_no_replica: "kept";
}

fn violates(row: &Row, invariant: &str) {
    println!("{row}");
    assert!(row.violates(invariant), "the judge sees nothing of `{invariant}`: {row}");
}
