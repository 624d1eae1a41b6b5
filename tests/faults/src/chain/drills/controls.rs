//! Negative controls: a service that does something wrong, which the judge must notice.

use std::time::Duration;

use super::servers::fail_over_unread;
use super::{Running, finish};
use crate::Row;
use crate::chain::{Scene, Way};
use crate::drill::Judged;

/// The shop has no outbox, and Redis is away for two seconds.
#[must_use]
pub fn has_no_outbox() -> Row {
    let mut scene = Scene::open(Way::Unordered);
    let (mut subscriber, mut billing) = (scene.subscriber(), scene.billing(""));
    let mut shop = scene.shop("load", "wrong=no-outbox");
    scene.until_effects(50);
    scene.shop.redis.kill();
    scene.faults += 1;
    scene.until_acknowledged(30);
    scene.shop.redis.restart();
    scene.mended();
    shop.stop();
    scene.until_drained(Duration::from_secs(60));
    billing.stop();
    subscriber.stop();
    scene.judge("no outbox in the shop")
}

/// The billing service has no inbox, and dies with orders that it has handled and not acknowledged.
#[must_use]
pub fn has_no_inbox() -> Row {
    killed("no inbox in the billing service", "wrong=no-inbox", "committed:30")
}

/// It acknowledges before the commit, and dies in between.
#[must_use]
pub fn acks_early() -> Row {
    killed("ack before the commit", "wrong=acks-early", "inside:30")
}

fn killed(name: &str, wrong: &str, point: &str) -> Row {
    let mut scene = Scene::open(Way::Unordered);
    let mut running = Running::start(&scene);
    running.billing.stop();
    let mut billing = scene.billing(&format!("{wrong} fail={point}"));
    assert!(!billing.wait(Duration::from_secs(60)).success(), "it was killed");
    scene.faults += 1;
    running.billing = scene.billing(wrong);
    scene.mended();
    finish(scene, running).judge(name)
}

/// The broker does not wait for replicas, and the primary dies before its replica has what it answered for.
#[must_use]
pub fn waits_for_no_replica() -> Row {
    let mut scene = Scene::open_replicated(Way::Unordered, Duration::from_millis(50), 0);
    let mut running = Running::start(&scene);
    for _ in 0..3 {
        fail_over_unread(&mut scene, &mut running);
        scene.until_effects(20);
    }
    scene.mended();
    finish(scene, running).judge("failover without waiting for replicas")
}
