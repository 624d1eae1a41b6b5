//! The server between the services is away, stands still, or another one takes over.

use std::thread::sleep;
use std::time::Duration;

use super::{Running, finish, outage, rounds};
use crate::Form;
use crate::chain::{Scene, Way};
use crate::drills::kills::random;

pub(super) fn killed(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    for _ in rounds(form, 2) {
        sleep(Duration::from_millis(random(1_000)));
        scene.shop.redis.kill();
        scene.faults += 1;
        sleep(Duration::from_secs(1));
        scene.shop.redis.restart();
        scene.healed_after(Duration::from_secs(1));
        if form == Form::Long {
            // Otherwise three minutes of kills are one long outage.
            scene.until_caught_up();
        } else {
            scene.until_effects(20);
        }
    }
    finish(scene, running)
}

pub(super) fn away(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    for _ in rounds(form, 1) {
        scene.shop.redis.kill();
        scene.faults += 1;
        sleep(outage(form));
        scene.shop.redis.restart();
        scene.healed_after(outage(form));
        scene.until_caught_up();
    }
    finish(scene, running)
}

/// Its connections stay open, and nothing answers.
pub(super) fn still(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    for _ in rounds(form, 1) {
        scene.shop.redis.pause();
        scene.faults += 1;
        sleep(outage(form));
        scene.shop.redis.resume();
        scene.healed_after(outage(form));
        scene.until_caught_up();
    }
    finish(scene, running)
}

/// The primary dies, its replica takes over under the same address, and has a replica of its own soon. The broker waits until the replica
/// has a message, which is 10 ms later.
pub(super) fn failed_over(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open_replicated(way, Duration::from_millis(10), 1);
    let mut running = Running::start(&scene);
    for round in rounds(form, 2) {
        sleep(Duration::from_millis(random(1_000)));
        if round % 2 == 0 {
            fail_over_unread(&mut scene, &mut running);
        } else {
            scene.fail_over();
        }
        scene.healed_after(Duration::from_secs(1));
        scene.until_effects(20);
    }
    finish(scene, running)
}

/// Nobody has read what is published at that moment: it is with the server alone.
pub(super) fn fail_over_unread(scene: &mut Scene, running: &mut Running) {
    running.billing.stop();
    scene.until_acknowledged(20);
    scene.fail_over();
    running.billing = scene.billing("");
}
