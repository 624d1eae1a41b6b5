//! The service is killed, and started again.

use std::thread;
use std::time::Duration;

use uuid::Uuid;

use crate::{Form, Kind, Scene};

macro_rules! fail_points {
    ($($name:ident: $point:literal, $times:literal);* $(;)?) => { $(
        pub(super) fn $name(kind: Kind, form: Form) -> Scene {
            at(kind, form, $point, $times)
        }
    )* };
}

fail_points! {
    after_staging: "staged", 150;
    after_the_commit: "committed", 150;
    after_the_claim: "claimed", 12;
    in_mid_publish: "mid-publish", 8;
    after_the_publish: "published", 12;
    in_mid_settle: "mid-settle", 8;
    half_settled: "half-settled", 8;
}

/// The service ends by itself when it comes by the fail point for the n-th time, under load.
fn at(kind: Kind, form: Form, point: &str, times: u32) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    // The leases of the dead must end.
    scene.lease = 2_000;
    for round in 0..form.pick(1, 20) {
        let fail = format!("fail={point}:{}", times + round % 7);
        let mut service = scene.shop("service", &fail);
        let status = service.wait(Duration::from_secs(60));
        assert!(!status.success(), "it was killed: {}", service.log());
        scene.crashes += 1;
    }
    scene.mended();
    // What comes after the crash goes its way too.
    let mut service = scene.shop("service", "commands=200");
    scene.until_acknowledged(100);
    scene.until_drained(Duration::from_secs(60));
    service.stop();
    scene.until_drained(Duration::from_secs(1));
    scene
}

pub(super) fn at_random(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    // The leases of the dead must end.
    scene.lease = 2_000;
    for _ in 0..form.pick(4, 20) {
        let mut service = scene.shop("service", "");
        scene.until_acknowledged(1);
        thread::sleep(Duration::from_millis(random(1_000)));
        service.kill();
        scene.crashes += 1;
    }
    scene.mended();
    scene.drain(Duration::from_secs(60));
    scene
}

/// Below the limit.
pub(crate) fn random(limit: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    let bits = Uuid::new_v4().as_u128() as u64;
    bits % limit
}
