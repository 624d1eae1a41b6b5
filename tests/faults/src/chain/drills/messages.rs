//! Messages come again, or are too much for a handler.

use std::time::Duration;

use super::{Running, finish, rounds};
use crate::Form;
use crate::chain::{Scene, Way};
use crate::drill::Judged;

/// An operator lets the shop publish all that it has sent once more.
pub(super) fn again(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    let running = Running::start(&scene);
    // Each time it is all of the drill: the longer that lasts, the more there is to publish again.
    let between = if form == Form::Long { 2_000 } else { 200 };
    for _ in rounds(form, 2) {
        scene.until_effects(between);
        scene.shop("again", "").ends_well(Duration::from_secs(60));
        scene.faults += 1;
    }
    scene.mended();
    finish(scene, running)
}

/// One order in fifty fails for good: it is a dead letter of one handler, and all else goes on. When the program has been mended, an
/// operator replays.
pub(super) fn poison(way: Way, form: Form) -> Scene {
    let mut scene = Scene::open(way);
    scene.faulty = 50;
    let running = Running::start(&scene);
    for _ in rounds(form, 2) {
        scene.until_effects(200);
    }
    scene.mended();
    let mut scene = finish(scene, running);
    scene.faults = scene.billing.dead();
    scene.judge("poison, before it is replayed").assert_holds();
    scene.billing.billing("replay", "").ends_well(Duration::from_secs(30));
    scene.replayed = true;
    let (mut billing, mut subscriber) = (scene.billing("mended=true"), scene.subscriber());
    scene.until_drained(Duration::from_secs(60));
    billing.stop();
    subscriber.stop();
    scene
}
