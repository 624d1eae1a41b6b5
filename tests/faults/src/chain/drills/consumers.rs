//! Services that sleep, and several that share the work.

use std::thread::sleep;
use std::time::Duration;

use super::{Running, finish, rounds};
use crate::chain::{Scene, Way};
use crate::drills::kills::random;
use crate::{Form, Process};

/// Longer than relays, names, partitions and deliveries are leased.
const SLEEP: Duration = Duration::from_millis(2_700);

/// Another one takes its place meanwhile; then both work, and the first one ends.
pub(super) fn shop_stopped(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    for _ in rounds(form, 2) {
        sleep(Duration::from_millis(random(500)));
        running.shop.pause();
        let next = scene.shop("service", "");
        sleep(SLEEP);
        running.shop.resume();
        scene.faults += 1;
        scene.until_effects(20);
        running.shop.stop();
        running.shop = next;
    }
    scene.mended();
    finish(scene, running)
}

/// It stops inside a handler, or wherever it is. Another one has its messages, and finds its rows open.
pub(super) fn billing_stopped(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    for round in rounds(form, 2) {
        let mut next = scene.billing(if round % 2 == 0 { "fail=inside:30:stop" } else { "" });
        if round % 2 == 0 {
            running.billing.stop();
        } else {
            scene.until_effects(20);
            running.billing.stop();
            next.pause();
        }
        next.until_stopped();
        running.billing = scene.billing("");
        sleep(SLEEP);
        next.resume();
        scene.faults += 1;
        scene.until_effects(20);
        std::mem::swap(&mut running.billing, &mut next);
        next.stop();
    }
    scene.mended();
    finish(scene, running)
}

pub(super) fn two(way: Way, form: Form) -> Scene {
    several(way, form, 2)
}

pub(super) fn four(way: Way, form: Form) -> Scene {
    several(way, form, 4)
}

/// Each is replaced by another one under load, the last one of a round by a kill.
fn several(way: Way, form: Form, count: usize) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    let mut others: Vec<_> = (1..count).map(|_| scene.billing("")).collect();
    for _ in rounds(form, 1) {
        for other in &mut others {
            let next = scene.billing("");
            sleep(Duration::from_millis(300));
            other.stop();
            *other = next;
            scene.faults += 1;
            scene.until_effects(20);
        }
        if let Some(last) = others.last_mut() {
            last.kill();
            *last = scene.billing("");
            scene.faults += 1;
        }
    }
    scene.mended();
    scene.until_effects(20);
    others.iter_mut().for_each(Process::stop);
    finish(scene, running)
}
