//! What happens in each drill of the inbox.

pub mod controls;

mod databases;
mod engines;
mod kills;
mod messages;
mod owners;
mod parked;
mod replays;

use super::Scene;
use crate::drill::Drill;
use crate::drills::BOTH;
use crate::{Kind, Process};

/// The service ends in good order when nothing waits any more.
fn finish(mut scene: Scene, mut service: Process) -> Scene {
    scene.until_drained(std::time::Duration::from_secs(180));
    service.stop();
    scene
}

/// The columns of their table.
pub const COLUMNS: &[&str] =
    &["fault", "database", "times", "messages", "of which again", "effects", "dead letters", "replayed"];

/// All of them.
pub const DRILLS: &[Drill<Scene, Kind>] = &[
    Drill { name: "kill -9 after taking", on: BOTH, stage: kills::taken },
    Drill { name: "kill -9 inside the handler", on: BOTH, stage: kills::inside },
    Drill { name: "kill -9 in mid COMMIT", on: BOTH, stage: kills::mid_commit },
    Drill { name: "kill -9 after the handler's commit", on: BOTH, stage: kills::committed },
    Drill { name: "kill -9 before the ack", on: BOTH, stage: kills::before_ack },
    Drill { name: "kill -9 with the ack on its way", on: BOTH, stage: kills::mid_ack },
    Drill { name: "kill -9 at random instants", on: BOTH, stage: kills::at_random },
    Drill { name: "kill -9 between dead letter and ack", on: BOTH, stage: kills::dead },
    Drill { name: "kill -9 in mid schedule", on: BOTH, stage: kills::mid_schedule },
    Drill { name: "kill -9 in mid replay", on: BOTH, stage: replays::killed },
    Drill { name: "kill -9 beside parked keys, replayed", on: BOTH, stage: parked::killed },
    Drill { name: "database down under load", on: BOTH, stage: databases::down },
    Drill { name: "database restarted under load", on: BOTH, stage: databases::restarted },
    Drill { name: "connection cut in mid COMMIT", on: BOTH, stage: databases::cut_in_mid_commit },
    Drill { name: "serialization failures", on: BOTH, stage: databases::serialization_failures },
    Drill { name: "deadlocks", on: BOTH, stage: databases::deadlocks },
    Drill { name: "exhausted pool", on: BOTH, stage: databases::exhausted_pool },
    Drill { name: "owner stopped with an open inbox row", on: BOTH, stage: owners::stopped },
    Drill { name: "clocks an hour off", on: BOTH, stage: owners::clocks_an_hour_off },
    Drill { name: "engine cut, locks lost, answers lost", on: BOTH, stage: engines::unreliable },
    Drill { name: "duplicates ×8, in other order, with another body", on: BOTH, stage: messages::duplicates },
    Drill { name: "one poison in 1,000, replayed", on: BOTH, stage: messages::poison },
    Drill { name: "a handler hung for ever, replayed", on: BOTH, stage: messages::hung },
    Drill { name: "retention shorter than a redelivery", on: BOTH, stage: messages::too_old },
];
