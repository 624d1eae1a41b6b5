//! Several relays, slow ones, and much to do.

use std::thread::sleep;
use std::time::Duration;

use super::databases::{LongTransaction, faketime};
use super::finish;
use super::kills::random;
use crate::{Form, Kind, Process, Scene};

/// A relay is stopped longer than its leases last, and wakes while another one has taken over.
///
/// It stops with rows that it has read, then with rows that it has published and not noted, then wherever it is.
pub(super) fn stopped_beyond_its_lease(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let settings = "connections=3 lease=1000 deadline=400 partitions=64";
    let mut other = scene.shop("relay", settings);
    let mut load = scene.shop("load", "rate=500");
    scene.until_acknowledged(100);
    for round in 0..form.pick(2, 20) {
        let mut relay = match round % 3 {
            0 => scene.shop("relay", &format!("{settings} fail=claimed:3:stop")),
            1 => scene.shop("relay", &format!("{settings} fail=published:3:stop")),
            _ => {
                let relay = scene.shop("relay", settings);
                sleep(Duration::from_millis(500 + random(300)));
                relay.pause();
                relay
            }
        };
        relay.until_stopped();
        scene.lost_leases += 1;
        sleep(Duration::from_millis(1_500));
        relay.resume();
        sleep(Duration::from_millis(300));
        // From now on the woken one works alone.
        std::mem::swap(&mut relay, &mut other);
        relay.stop();
    }
    load.stop();
    scene.mended();
    scene.until_drained(Duration::from_secs(30));
    other.stop();
    scene
}

/// One relay lives an hour ahead, then an hour behind; leases last as long as for the others.
pub(super) fn clocks_an_hour_off(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let library = faketime();
    let elsewhere = |scene: &Scene, offset| {
        let environment = [("LD_PRELOAD", &*library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        scene.shop_in("relay", "connections=3", &environment)
    };
    let mut load = scene.shop("load", "rate=400");
    for round in 0..form.pick(1, 10) {
        let (mut ahead, mut here) = (elsewhere(&scene, "+1h"), scene.shop("relay", "connections=3"));
        scene.until_acknowledged(400);
        // The one that is ahead waits for the end of the leases, though they seem to be over.
        here.kill();
        scene.until_acknowledged(400);
        ahead.kill();
        scene.crashes += 2;
        let mut behind = elsewhere(&scene, "-1h");
        scene.until_acknowledged(400);
        if round + 1 == form.pick(1, 10) {
            load.stop();
            scene.mended();
            scene.until_drained(Duration::from_secs(30));
        }
        behind.stop();
    }
    scene
}

pub(super) fn two(kind: Kind, form: Form) -> Scene {
    several(kind, form, 2)
}

pub(super) fn ten(kind: Kind, form: Form) -> Scene {
    several(kind, form, 10)
}

/// All are replaced one after the other under load: nothing is sent twice.
fn several(kind: Kind, form: Form, count: usize) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let settings = "connections=2 partitions=8";
    let mut relays: Vec<_> = (0..count).map(|_| scene.shop("relay", settings)).collect();
    let mut load = scene.shop("load", "rate=400");
    scene.until_acknowledged(200);
    for _ in 0..form.pick(1, 10) {
        for relay in &mut relays {
            let next = scene.shop("relay", settings);
            sleep(Duration::from_millis(100));
            relay.stop();
            *relay = next;
        }
    }
    scene.until_acknowledged(200);
    load.stop();
    scene.mended();
    scene.until_drained(Duration::from_secs(30));
    relays.iter_mut().for_each(Process::stop);
    scene
}

/// All of it is in one partition, and a transaction is open all the time.
pub(super) fn backlog(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let load = format!("keys=50 one_partition=true orders=100 commands={}", form.pick(200, 2_000));
    scene.shop("load", &load).ends_well(Duration::from_secs(600));
    let open = LongTransaction::begin(&scene.database);
    scene.mended();
    scene.batch = 1_000;
    scene.drain(Duration::from_secs(600));
    drop(open);
    scene
}

/// Commands take their time between the outbox and the commit: numbers are given out in another order than they are committed.
pub(super) fn late_commits(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "keys=30 tasks=32 connections=30 stage_pause=30");
    sleep(Duration::from_secs(form.pick(3, 60)));
    scene.until_acknowledged(100);
    scene.mended();
    finish(scene, service)
}

pub(super) fn one_hot_key(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    let service = scene.shop("service", "keys=1");
    sleep(Duration::from_secs(form.pick(2, 60)));
    scene.until_acknowledged(100);
    scene.mended();
    finish(scene, service)
}

/// Nothing is left behind, and nothing is sent twice.
pub(super) fn terminated_under_load(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.mended();
    for _ in 0..form.pick(3, 20) {
        let mut service = scene.shop("service", "");
        scene.until_acknowledged(100);
        sleep(Duration::from_millis(random(500)));
        scene.mended();
        service.stop();
        scene.until_drained(Duration::ZERO);
    }
    scene
}
