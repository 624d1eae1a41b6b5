//! What happens in each drill.

pub mod controls;

mod brokers;
pub(crate) mod databases;
pub(crate) mod kills;
mod relays;

use std::time::Duration;

use crate::drill::Drill;
use crate::{Kind, Process, Scene};

pub(crate) use self::databases::Disk;

/// The service ends in good order; what it could not send is left to a relay.
fn finish(mut scene: Scene, mut service: Process) -> Scene {
    service.stop();
    if scene.pending() == 0 {
        scene.until_drained(Duration::from_secs(1));
    } else {
        scene.drain(Duration::from_secs(120));
    }
    scene
}

pub(crate) const BOTH: &[Kind] = &[Kind::Postgres, Kind::Sqlite];
const POSTGRES: &[Kind] = &[Kind::Postgres];
const SQLITE: &[Kind] = &[Kind::Sqlite];

/// The columns of their table.
pub const COLUMNS: &[&str] = &["drill", "database", "acknowledged", "delivered", "duplicates", "allowed"];

/// All of them.
pub const DRILLS: &[Drill<Scene, Kind>] = &[
    Drill { name: "kill -9 after staging", on: BOTH, stage: kills::after_staging },
    Drill { name: "kill -9 after the commit", on: BOTH, stage: kills::after_the_commit },
    Drill { name: "kill -9 after the claim", on: BOTH, stage: kills::after_the_claim },
    Drill { name: "kill -9 in mid publish", on: BOTH, stage: kills::in_mid_publish },
    Drill { name: "kill -9 after the publish", on: BOTH, stage: kills::after_the_publish },
    Drill { name: "kill -9 in mid settle", on: BOTH, stage: kills::in_mid_settle },
    Drill { name: "kill -9 with half of it settled", on: BOTH, stage: kills::half_settled },
    Drill { name: "kill -9 at random instants", on: BOTH, stage: kills::at_random },
    Drill { name: "broker killed", on: BOTH, stage: brokers::killed },
    Drill { name: "broker down under load", on: BOTH, stage: brokers::down },
    Drill { name: "broker slow", on: BOTH, stage: brokers::slow },
    Drill { name: "one topic refuses, then is mended", on: BOTH, stage: brokers::topic_refuses },
    Drill { name: "a poison row", on: BOTH, stage: brokers::poison },
    Drill { name: "database restarted under load", on: POSTGRES, stage: databases::restarted },
    Drill { name: "database killed under load", on: POSTGRES, stage: databases::killed },
    Drill { name: "connection cut in mid COMMIT", on: POSTGRES, stage: databases::cut_in_mid_commit },
    Drill { name: "serialization failures", on: POSTGRES, stage: databases::serialization_failures },
    Drill { name: "deadlocks", on: POSTGRES, stage: databases::deadlocks },
    Drill { name: "more concurrency than connections", on: BOTH, stage: databases::few_connections },
    Drill { name: "two processes on one file", on: SQLITE, stage: databases::two_processes },
    Drill { name: "disk full", on: SQLITE, stage: databases::full_disk },
    Drill { name: "schema N beside N + 1", on: BOTH, stage: databases::newer_schema },
    Drill { name: "relay stopped beyond its lease", on: BOTH, stage: relays::stopped_beyond_its_lease },
    Drill { name: "clocks an hour off", on: POSTGRES, stage: relays::clocks_an_hour_off },
    Drill { name: "two relays, rolling restart", on: BOTH, stage: relays::two },
    Drill { name: "ten relays, rolling restart", on: BOTH, stage: relays::ten },
    Drill { name: "backlog in one partition, long transaction open", on: BOTH, stage: relays::backlog },
    Drill { name: "late commits", on: POSTGRES, stage: relays::late_commits },
    Drill { name: "one hot key", on: BOTH, stage: relays::one_hot_key },
    Drill { name: "SIGTERM under load", on: BOTH, stage: relays::terminated_under_load },
];
