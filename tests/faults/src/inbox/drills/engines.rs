//! The engine does what an engine may do.

use std::thread::sleep;
use std::time::Duration;

use super::finish;
use crate::drills::kills::random;
use crate::inbox::Scene;
use crate::{Form, Kind};

/// It cuts connections, ends locks, takes partitions away, and answers wrongly, while two processes share its messages.
pub(super) fn unreliable(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let mut other = scene.billing("service", "");
    let service = scene.billing("service", "");
    for _ in 0..form.pick(3, 20) {
        scene.publish(form.pick(50, 120));
        for fault in 0..6 {
            let broker = &scene.engine.broker;
            match fault {
                0 => broker.expire_locks("billing"),
                1 => broker.lose_answers(20),
                2 => broker.revoke("billing"),
                3 => broker.fail_settlements(20),
                4 => broker.take_partitions("billing"),
                _ => broker.cut(),
            }
            scene.faults += 1;
            sleep(Duration::from_millis(30 + random(100)));
        }
    }
    scene.mended();
    scene.until_drained(Duration::from_secs(120));
    other.stop();
    finish(scene, service)
}
