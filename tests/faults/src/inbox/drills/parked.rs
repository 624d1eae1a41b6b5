//! A dead letter parks its key, and something dies.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::Scene;
use crate::scene::until;
use crate::{Form, Kind};

/// Two more keys are parked in each round, and what comes behind them waits, whatever dies meanwhile. An operator replays the dead
/// letters to the mended program, which is killed while it works their keys off.
pub(super) fn killed(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.parks = true;
    scene.settings = "immediately=0".to_owned();
    let mut parked = Parked::default();
    let points = ["dead:1", "mid-put:2", "scheduled:3", "dead:1", "mid-put:3", "scheduled:5"];
    for point in &points[..form.pick(3, points.len())] {
        parked.publish(&scene, form.pick(120, 260));
        kill(&mut scene, form, &format!("fail={point}"));
    }
    parked.publish(&scene, 120);
    let mut service = scene.billing("service", "");
    until("all that is left is parked", Duration::from_secs(120), || {
        scene.unsettled() == 0 && scene.waiting() == parked.behind
    });
    service.stop();
    assert_eq!(scene.dead(), parked.keys.len() as u64, "one of each key is dead");
    scene.note_replay();
    scene.billing("replay", "").ends_well(Duration::from_secs(30));
    let points = ["leased:1", "inside:2", "mid-settle:3", "settled:4", "committed:5", "leased:10"];
    for point in &points[..form.pick(3, points.len())] {
        // They belong behind what is being worked off.
        scene.publish(form.pick(24, 48));
        kill(&mut scene, form, &format!("mended=true fail={point}"));
    }
    scene.mended();
    scene.drain("mended=true");
    scene
}

fn kill(scene: &mut Scene, form: Form, settings: &str) {
    let mut service = scene.billing("service", settings);
    let status = service.wait(Duration::from_secs(120));
    assert!(!status.success(), "it was killed: {}", service.log());
    scene.faults += 1;
    if form == Form::Short {
        scene.end_leases();
    }
}

/// Which keys are parked, and what waits for that.
#[derive(Default)]
struct Parked {
    keys: BTreeSet<i64>,
    /// Deliveries behind a dead letter, for both handlers.
    behind: u64,
}

impl Parked {
    /// Publishes so many messages, of which two park the next keys.
    fn publish(&mut self, scene: &Scene, count: i64) {
        let mut orders = scene.orders(count);
        let first = self.keys.len() as i64;
        for order in &mut orders {
            if self.keys.contains(&order.key) {
                self.behind += 2;
            } else if (first..first + 2).contains(&order.key) {
                order.fault = "poison";
                self.keys.insert(order.key);
            }
        }
        scene.publish_all(&orders);
    }
}
