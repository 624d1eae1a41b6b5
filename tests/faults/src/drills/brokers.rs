//! The broker is away, slow, or refuses something.

use std::thread::sleep;
use std::time::Duration;

use diator_testkit::Proxy;

use super::finish;
use crate::drill::Judged;
use crate::{Form, Kind, Scene};

pub(super) fn killed(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "rate=400");
    for _ in 0..form.pick(1, 20) {
        scene.until_acknowledged(300);
        away(&mut scene, Duration::from_secs(1));
    }
    scene.until_acknowledged(300);
    finish(scene, service)
}

pub(super) fn down(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "rate=200");
    scene.until_acknowledged(200);
    away(&mut scene, Duration::from_secs(form.pick(6, 180)));
    scene.until_acknowledged(100);
    finish(scene, service)
}

/// What it had under way has no answer.
fn away(scene: &mut Scene, time: Duration) {
    scene.redis.kill();
    scene.ambiguous += 1;
    sleep(time);
    scene.redis.restart();
    scene.healed_after(time);
}

pub(super) fn slow(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let proxy = Proxy::start(([127, 0, 0, 1], scene.redis.port()).into());
    proxy.delay(Duration::from_millis(20));
    let service = scene.shop("service", &format!("rate=300 redis={}", proxy.address().port()));
    sleep(Duration::from_secs(form.pick(2, 60)));
    // Longer than the relay waits: one batch, and then one message as a trial from time to time.
    let outage = Duration::from_secs(form.pick(3, 60));
    proxy.delay(Duration::from_secs(2));
    scene.ambiguous += 2;
    sleep(outage);
    proxy.delay(Duration::ZERO);
    scene.healed_after(outage);
    scene.until_acknowledged(300);
    finish(scene, service)
}

/// A key of another type stands where the stream of the parcels should be; the orders go on.
pub(super) fn topic_refuses(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.redis.cli(&["SET", "parcels", "no stream"]);
    let mut service = scene.shop("service", "rate=300 keys=20 parcels=true");
    scene.until_acknowledged(form.pick(600, 10_000));
    let waits = "SELECT count(*) FROM diator_outbox WHERE status = 0 AND topic = 'orders'";
    service.stop();
    let mut relay = scene.shop("relay", "");
    crate::scene::until("all orders are sent", Duration::from_secs(30), || scene.database.sql(waits) == "0");
    sleep(Duration::from_secs(1));
    relay.stop();
    let dead = "SELECT count(*) FROM diator_dead_letter";
    scene.expect_dead = scene.database.sql(dead).parse().expect("it is a number");
    scene.judge("one topic refuses, before it is mended").assert_holds();
    // Somebody mends it, and gives the dead letters back, of which there may be one for each key.
    scene.redis.cli(&["DEL", "parcels"]);
    scene.shop("replay", "").ends_well(Duration::from_secs(30));
    (scene.expect_dead, scene.ambiguous) = (0, 0);
    scene.reads_parcels();
    scene.mended();
    scene.drain(Duration::from_secs(60));
    scene
}

/// The broker refuses one message for good: it becomes a dead letter, and parks its key.
pub(super) fn poison(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "rate=300 keys=20 poison=100");
    scene.until_acknowledged(form.pick(600, 10_000));
    scene.expect_dead = 1;
    finish(scene, service)
}
