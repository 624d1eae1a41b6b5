//! What happens in each drill of the inbox.

pub mod controls;

mod databases;
mod engines;
mod kills;
mod messages;
mod owners;
mod parked;
mod replays;

use super::{Row, Scene};
use crate::servers::Kind;
use crate::{Form, Process};

/// A drill of the inbox, which is run on each database.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// What is broken.
    pub name: &'static str,
    stage: fn(Kind, Form) -> Scene,
}

impl Drill {
    /// Where each is run.
    pub const ON: [Kind; 2] = [Kind::Postgres, Kind::Sqlite];

    /// Runs it, and lets the judge speak.
    #[must_use]
    pub fn run(&self, kind: Kind, form: Form) -> Row {
        let scene = (self.stage)(kind, form);
        let row = scene.judge(self.name);
        if !row.violated.is_empty() {
            scene.keep();
        }
        row
    }
}

/// The service ends in good order when nothing waits any more.
fn finish(mut scene: Scene, mut service: Process) -> Scene {
    scene.until_drained(std::time::Duration::from_secs(180));
    service.stop();
    scene
}

/// All of them.
pub const DRILLS: &[Drill] = &[
    Drill { name: "kill -9 after taking", stage: kills::taken },
    Drill { name: "kill -9 inside the handler", stage: kills::inside },
    Drill { name: "kill -9 in mid COMMIT", stage: kills::mid_commit },
    Drill { name: "kill -9 after the handler's commit", stage: kills::committed },
    Drill { name: "kill -9 before the ack", stage: kills::before_ack },
    Drill { name: "kill -9 with the ack on its way", stage: kills::mid_ack },
    Drill { name: "kill -9 at random instants", stage: kills::at_random },
    Drill { name: "kill -9 between dead letter and ack", stage: kills::dead },
    Drill { name: "kill -9 in mid schedule", stage: kills::mid_schedule },
    Drill { name: "kill -9 in mid replay", stage: replays::killed },
    Drill { name: "kill -9 beside parked keys, replayed", stage: parked::killed },
    Drill { name: "database down under load", stage: databases::down },
    Drill { name: "database restarted under load", stage: databases::restarted },
    Drill { name: "connection cut in mid COMMIT", stage: databases::cut_in_mid_commit },
    Drill { name: "serialization failures", stage: databases::serialization_failures },
    Drill { name: "deadlocks", stage: databases::deadlocks },
    Drill { name: "exhausted pool", stage: databases::exhausted_pool },
    Drill { name: "owner stopped with an open inbox row", stage: owners::stopped },
    Drill { name: "clocks an hour off", stage: owners::clocks_an_hour_off },
    Drill { name: "engine cut, locks lost, answers lost", stage: engines::unreliable },
    Drill { name: "duplicates ×8, in other order, with another body", stage: messages::duplicates },
    Drill { name: "one poison in 1,000, replayed", stage: messages::poison },
    Drill { name: "a handler hung for ever, replayed", stage: messages::hung },
    Drill { name: "retention shorter than a redelivery", stage: messages::too_old },
];

/// The drill of this name.
///
/// # Panics
///
/// There is none.
#[must_use]
pub fn named(name: &str) -> &'static Drill {
    DRILLS.iter().find(|drill| drill.name == name).expect("there is a drill of that name")
}
