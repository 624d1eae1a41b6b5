//! A process sleeps, or lives in another time.

use std::thread::sleep;
use std::time::Duration;

use super::finish;
use crate::drills::databases::faketime;
use crate::inbox::Scene;
use crate::scene::until;
use crate::{Form, Kind, Process};

/// It stops in the middle of a handler; the engine gives its messages to another process, which finds the row open. Then the stopped
/// one goes on, or is killed, or sleeps on until PostgreSQL has ended its session.
pub(super) fn stopped(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = "busy=500".to_owned();
    // A file has no session that somebody could end.
    let ways = if kind == Kind::Postgres { 3 } else { 2 };
    for round in 0..form.pick(ways, 9) {
        scene.publish(form.pick(60, 220));
        let sleeps_on = round % ways == 2;
        let mut owner = scene
            .billing("service", &format!("fail=inside:9:stop max_handling={}", if sleeps_on { 3_000 } else { 60_000 }));
        owner.until_stopped();
        scene.faults += 1;
        let busy = scene.troubles("another transaction");
        // On SQLite it finds that it cannot write anything.
        let is_locked = |other: &Process| kind == Kind::Sqlite && other.log().contains("database is locked");
        let other = scene.billing("service", "");
        // It may come when the session has ended.
        until("the other one has found the row", Duration::from_secs(30), || {
            sleeps_on || scene.troubles("another transaction") > busy || is_locked(&other)
        });
        match round % ways {
            0 => {
                owner.resume();
                // Its handler may commit, and nothing else of it counts any more.
                sleep(Duration::from_millis(300));
                owner.stop();
            }
            1 => owner.kill(),
            _ => {}
        }
        scene.mended();
        scene = finish(scene, other);
        if sleeps_on {
            owner.resume();
            owner.stop();
        }
    }
    scene
}

/// One process lives an hour ahead, the next one an hour behind, the last one here; each but the last is killed.
pub(super) fn clocks_an_hour_off(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let library = faketime();
    for _ in 0..form.pick(1, 8) {
        for offset in ["+1h", "-1h"] {
            scene.publish(form.pick(60, 140));
            let environment = [("LD_PRELOAD", &*library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
            let mut elsewhere = scene.billing_in("service", "", &environment);
            scene.until_effects(40);
            elsewhere.kill();
            scene.faults += 1;
        }
    }
    scene.mended();
    scene.drain("");
    scene
}
