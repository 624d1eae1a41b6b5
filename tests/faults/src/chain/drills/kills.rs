//! A process is killed, and started again.

use std::thread::sleep;
use std::time::Duration;

use super::{Running, finish, rounds};
use crate::Form;
use crate::chain::{Scene, Way};
use crate::drills::kills::random;

/// The next one starts before the leases of the last one end.
pub(super) fn shop_at_fail_points(way: Way, form: Form) -> Scene {
    let points = ["committed:30", "mid-publish:8", "published:8", "staged:30", "mid-settle:8"];
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    running.shop.stop();
    for round in rounds(form, 2) {
        let mut shop = scene.shop("service", &format!("fail={}", points[round % points.len()]));
        assert!(!shop.wait(Duration::from_secs(60)).success(), "it was killed: {}", shop.log());
        scene.faults += 1;
    }
    scene.mended();
    running.shop = scene.shop("service", "");
    scene.until_effects(50);
    finish(scene, running)
}

pub(super) fn shop_at_random(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    for _ in rounds(form, 2) {
        sleep(Duration::from_millis(random(1_000)));
        running.shop.kill();
        scene.faults += 1;
        running.shop = scene.shop("service", "");
        scene.until_acknowledged(20);
    }
    scene.mended();
    finish(scene, running)
}

/// Orders are placed by a process of their own, which goes on.
pub(super) fn relay_at_random(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    running.shop.stop();
    running.shop = scene.shop("load", "");
    let mut relay = scene.shop("relay", "");
    for _ in rounds(form, 2) {
        scene.until_effects(20);
        sleep(Duration::from_millis(random(1_000)));
        relay.kill();
        scene.faults += 1;
        relay = scene.shop("relay", "");
    }
    scene.mended();
    scene.until_effects(20);
    relay.stop();
    finish(scene, running)
}

pub(super) fn billing_at_fail_points(way: Way, form: Form) -> Scene {
    let points = ["mid-commit:20", "inside:20", "before-ack:4", "committed:20", "taken:2", "mid-ack:4"];
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    running.billing.stop();
    for round in rounds(form, 2) {
        let mut billing = scene.billing(&format!("fail={}", points[round % points.len()]));
        assert!(!billing.wait(Duration::from_secs(60)).success(), "it was killed: {}", billing.log());
        scene.faults += 1;
        // A message that is in hand at three kills in a row counts as one that ends the process: let all come to its end that was in hand.
        let mut works = scene.billing("");
        scene.until_effects(form.pick(20, 300));
        works.stop();
    }
    scene.mended();
    running.billing = scene.billing("");
    scene.until_effects(50);
    finish(scene, running)
}

pub(super) fn billing_at_random(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    for _ in rounds(form, 2) {
        sleep(Duration::from_millis(random(1_000)));
        running.billing.kill();
        scene.faults += 1;
        running.billing = scene.billing("");
        scene.until_effects(20);
    }
    scene.mended();
    finish(scene, running)
}

pub(super) fn subscriber_at_random(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let mut running = Running::start(&scene);
    for _ in rounds(form, 2) {
        scene.until_seen(20);
        sleep(Duration::from_millis(random(1_000)));
        running.subscriber.kill();
        scene.faults += 1;
        running.subscriber = scene.subscriber();
    }
    scene.mended();
    finish(scene, running)
}
