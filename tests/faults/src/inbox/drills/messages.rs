//! Messages come again, or are too much for a handler.

use std::thread::sleep;
use std::time::Duration;

use super::finish;
use crate::drills::kills::random;
use crate::inbox::{Order, Scene};
use crate::scene::until;
use crate::{Form, Kind};

/// Each comes eight times, in any order, and some with another body; two processes share them.
pub(super) fn duplicates(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let mut other = scene.billing("service", "");
    let service = scene.billing("service", "");
    for _ in 0..form.pick(1, 10) {
        let mut copies: Vec<Order> = Vec::new();
        for order in scene.orders(50) {
            for copy in 0..8 {
                // Whoever uses an id twice means one message.
                let number = if copy % 3 == 2 { order.number + 1_000_000 } else { order.number };
                copies.push(Order { number, ..order });
            }
        }
        for place in (1..copies.len()).rev() {
            copies.swap(place, usize::try_from(random(place as u64 + 1)).expect("it is small"));
        }
        scene.publish_all(&copies);
        scene.faults += 7 * 50;
    }
    scene.mended();
    scene.until_drained(Duration::from_secs(180));
    other.stop();
    finish(scene, service)
}

/// A message that fails for good is a dead letter of one handler, whatever the other one does; all others go on. When the program has
/// been mended, an operator replays it.
pub(super) fn poison(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.publish_faulty(form.pick(300, 6_000), form.pick(100, 1_000), "poison");
    scene.faults = form.pick(3, 6);
    replay_dead(scene)
}

/// A handler never ends: it is cut off, and the message is a dead letter.
pub(super) fn hung(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    // On SQLite the others wait for whoever hangs, for less than a handler may take.
    scene.settings = "max_handling=500 busy=100".to_owned();
    scene.publish_faulty(form.pick(120, 2_000), form.pick(40, 200), "hang");
    scene.faults = form.pick(3, 10);
    replay_dead(scene)
}

fn replay_dead(mut scene: Scene) -> Scene {
    scene.drain("");
    assert_eq!(scene.dead(), scene.faults, "each fault made a dead letter");
    scene.note_replay();
    scene.billing("replay", "").ends_well(Duration::from_secs(30));
    let service = scene.billing("service", "mended=true");
    scene.mended();
    finish(scene, service)
}

/// What the inbox may have forgotten is not handled again: it is a dead letter of the whole message.
pub(super) fn too_old(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = "retention=3000 prunes=true".to_owned();
    let orders = scene.orders(form.pick(20, 1_000));
    let service = scene.billing("service", "retention=600000");
    scene.publish_all(&orders);
    let mut scene = finish(scene, service);
    // The rows say themselves until when they are kept.
    let _ = scene.database.sql("DELETE FROM diator_inbox");
    sleep(Duration::from_millis(3_100));
    scene.mended();
    let again: Vec<_> = orders.into_iter().map(|order| Order { fault: "old", ..order }).collect();
    scene.publish_all(&again);
    scene.faults = again.len() as u64;
    let service = scene.billing("service", "");
    until("they are dead letters", Duration::from_secs(30), || scene.dead() == scene.faults);
    finish(scene, service)
}
