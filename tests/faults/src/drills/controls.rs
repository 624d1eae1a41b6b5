//! Negative controls: an outbox that does something wrong, which the judge must notice.

use std::thread::sleep;
use std::time::Duration;

use crate::drill::Judged;
use crate::scene::until;
use crate::{Kind, Process, Row, Scene};

/// It publishes before the commit, which a crash then prevents.
#[must_use]
pub fn publishes_early() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    let mut load = scene.shop("load", "wrong=publishes-early fail=staged:200");
    assert!(!load.wait(Duration::from_secs(60)).success(), "it was killed");
    scene.crashes += 1;
    // Nothing else may be delivered twice meanwhile: what is pending stays so.
    scene.judge("publishes before the commit")
}

/// It deletes rows before it publishes them, and dies in between.
#[must_use]
pub fn deletes_early() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    let mut service = scene.shop("service", "wrong=deletes-early fail=claimed:12");
    assert!(!service.wait(Duration::from_secs(60)).success(), "it was killed");
    scene.crashes += 1;
    scene.drain(Duration::from_secs(30));
    scene.judge("deletes before it publishes")
}

/// It reads on from the last number, and so misses what commits late.
#[must_use]
pub fn keeps_cursor() -> Row {
    let scene = Scene::open(Kind::Postgres, &[]);
    let mut relay = scene.shop("relay", "wrong=keeps-cursor");
    let mut load = scene.shop("load", "stage_pause=20");
    sleep(Duration::from_secs(2));
    load.stop();
    sleep(Duration::from_secs(1));
    relay.stop();
    scene.judge("keeps a cursor instead of a status")
}

/// Several relays take whatever is free.
#[must_use]
pub fn skips_locked() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    let mut relay = scene.shop("relay", "wrong=skips-locked");
    let mut load = scene.shop("load", "keys=5 rate=500");
    scene.until_acknowledged(1_000);
    load.stop();
    scene.until_drained(Duration::from_secs(30));
    relay.stop();
    scene.judge("SKIP LOCKED without partitions")
}

/// A relay that lost its leases works on, settles and gives back what others own by now.
#[must_use]
pub fn ignores_fence() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    scene.batch = 4;
    // Three keys keep one relay busy until its leases end, and then the next one.
    let settings = "wrong=ignores-fence connections=3 lease=2000 deadline=400 partitions=64 publish_pause=30";
    let mut relays = [(); 3].map(|()| scene.shop("relay", settings));
    let mut load = scene.shop("load", "rate=100 keys=3");
    scene.until_acknowledged(50);
    for relay in &relays[..2] {
        relay.pause();
        sleep(Duration::from_millis(2_300));
        relay.resume();
        scene.lost_leases += 1;
        sleep(Duration::from_millis(500));
    }
    load.stop();
    until("it is drained", Duration::from_secs(60), || scene.pending() == 0);
    relays.iter_mut().for_each(Process::stop);
    scene.judge("ignores the fence")
}
