//! Each drill in its short form; `drill --long` of this package runs the long one.

use diator_faults::{DRILLS, Drill, Form, Kind};

macro_rules! drills {
    ($($test:ident: $name:literal, $($kind:ident),+;)*) => { $(
        mod $test { $(
            #[test]
            #[expect(non_snake_case, reason = "the database's name")]
            fn $kind() {
                super::run($name, super::Kind::$kind);
            }
        )+ }
    )* };
}

drills! {
    killed_after_staging: "kill -9 after staging", Postgres, Sqlite;
    killed_after_the_commit: "kill -9 after the commit", Postgres, Sqlite;
    killed_after_the_claim: "kill -9 after the claim", Postgres, Sqlite;
    killed_in_mid_publish: "kill -9 in mid publish", Postgres, Sqlite;
    killed_after_the_publish: "kill -9 after the publish", Postgres, Sqlite;
    killed_in_mid_settle: "kill -9 in mid settle", Postgres, Sqlite;
    killed_with_half_settled: "kill -9 with half of it settled", Postgres, Sqlite;
    killed_at_random: "kill -9 at random instants", Postgres, Sqlite;
    broker_killed: "broker killed", Postgres, Sqlite;
    broker_down: "broker down under load", Postgres, Sqlite;
    broker_slow: "broker slow", Postgres, Sqlite;
    topic_refuses: "one topic refuses, then is mended", Postgres, Sqlite;
    poison_row: "a poison row", Postgres, Sqlite;
    database_restarted: "database restarted under load", Postgres;
    database_killed: "database killed under load", Postgres;
    cut_in_mid_commit: "connection cut in mid COMMIT", Postgres;
    serialization_failures: "serialization failures", Postgres;
    deadlocks: "deadlocks", Postgres;
    more_concurrency_than_connections: "more concurrency than connections", Postgres, Sqlite;
    two_processes: "two processes on one file", Sqlite;
    full_disk: "disk full", Sqlite;
    newer_schema: "schema N beside N + 1", Postgres, Sqlite;
    relay_stopped_beyond_its_lease: "relay stopped beyond its lease", Postgres, Sqlite;
    clocks_an_hour_off: "clocks an hour off", Postgres;
    two_relays: "two relays, rolling restart", Postgres, Sqlite;
    ten_relays: "ten relays, rolling restart", Postgres, Sqlite;
    backlog_in_one_partition: "backlog in one partition, long transaction open", Postgres, Sqlite;
    late_commits: "late commits", Postgres;
    one_hot_key: "one hot key", Postgres, Sqlite;
    terminated_under_load: "SIGTERM under load", Postgres, Sqlite;
}

fn run(name: &str, kind: Kind) {
    let row = Drill::named(DRILLS, name).run(kind, Form::Short);
    println!("{row}");
    row.assert_holds();
}
