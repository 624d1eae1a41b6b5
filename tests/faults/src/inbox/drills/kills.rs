//! The service ends where it is worst, or anywhere.

use std::thread::sleep;
use std::time::Duration;

use crate::drills::kills::random;
use crate::inbox::Scene;
use crate::{Form, Kind};

pub(super) fn taken(kind: Kind, form: Form) -> Scene {
    at(kind, form, &["taken"], 2)
}

pub(super) fn inside(kind: Kind, form: Form) -> Scene {
    at(kind, form, &["inside"], 20)
}

pub(super) fn mid_commit(kind: Kind, form: Form) -> Scene {
    at(kind, form, &["mid-commit"], 20)
}

pub(super) fn committed(kind: Kind, form: Form) -> Scene {
    at(kind, form, &["committed"], 20)
}

pub(super) fn before_ack(kind: Kind, form: Form) -> Scene {
    at(kind, form, &["before-ack"], 4)
}

pub(super) fn mid_ack(kind: Kind, form: Form) -> Scene {
    at(kind, form, &["mid-ack"], 4)
}

/// The n-th time, for other n in each round; then another process goes on.
fn at(kind: Kind, form: Form, points: &[&str], times: usize) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    kill_at(&mut scene, form, points, times, Scene::publish);
    scene.mended();
    scene.publish(20);
    scene.drain("");
    scene
}

/// Each process is killed at the next of these points.
fn kill_at(scene: &mut Scene, form: Form, points: &[&str], times: usize, publish: impl Fn(&Scene, i64)) {
    for round in 0..form.pick(points.len(), 8) {
        publish(scene, form.pick(120, 260));
        let fail = format!("fail={}:{}", points[round % points.len()], times + round % 3);
        let mut service = scene.billing("service", &fail);
        let status = service.wait(Duration::from_secs(120));
        assert!(!status.success(), "it was killed: {}", service.log());
        scene.faults += 1;
        if form == Form::Short {
            scene.end_leases();
        }
    }
}

pub(super) fn at_random(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    for _ in 0..form.pick(2, 10) {
        scene.publish(form.pick(150, 400));
        let mut service = scene.billing("service", "");
        scene.until_effects(1);
        sleep(Duration::from_millis(random(700)));
        service.kill();
        scene.faults += 1;
    }
    scene.mended();
    scene.publish(20);
    scene.drain("");
    scene
}

/// One message in ten fails for good; the engine delivers it again, of which there is a dead letter already.
pub(super) fn dead(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = "immediately=0".to_owned();
    kill_at(&mut scene, form, &["dead", "mid-put"], 2, |scene, count| scene.publish_faulty(count, 10, "poison"));
    scene.mended();
    scene.drain("");
    scene
}

/// One message in four fails once in each process, and is tried again through the store; those behind it in its key wait.
pub(super) fn mid_schedule(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = format!("immediately=0 later={}", ["50"; 20].join(","));
    let points = ["scheduled", "mid-put", "leased", "mid-settle", "settled"];
    let points = &points[..form.pick(3, 5)];
    kill_at(&mut scene, form, points, 4, |scene, count| scene.publish_faulty(count, 4, "flaky"));
    scene.mended();
    scene.drain("");
    scene
}
