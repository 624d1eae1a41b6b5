//! The database of a service is away.

use std::thread::sleep;
use std::time::Duration;

use super::{Running, finish, outage, rounds};
use crate::chain::{Scene, Way};
use crate::{Database, Form};

pub(super) fn shop_restarted(way: Way, form: Form) -> Scene {
    restarted(way, form, |scene| &scene.shop.database)
}

pub(super) fn billing_restarted(way: Way, form: Form) -> Scene {
    restarted(way, form, |scene| &scene.billing.database)
}

/// As for an update of the server, and killed in turns.
fn restarted(way: Way, form: Form, of: fn(&Scene) -> &Database) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    for round in rounds(form, 2) {
        let server = of(&scene).server();
        if round % 2 == 0 {
            server.stop_fast();
        } else {
            server.kill();
        }
        sleep(Duration::from_millis(300));
        server.restart();
        scene.faults += 1;
        scene.healed_after(Duration::from_millis(300));
        scene.until_effects(20);
    }
    finish(scene, running)
}

/// The shop goes on meanwhile.
pub(super) fn billing_away(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    for _ in rounds(form, 1) {
        scene.billing.database.server().kill();
        scene.faults += 1;
        sleep(outage(form));
        scene.billing.database.server().restart();
        scene.healed_after(outage(form));
        scene.until_caught_up();
    }
    finish(scene, running)
}
