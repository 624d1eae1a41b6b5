//! An operator replays, and something dies.

use std::time::Duration;

use super::super::Scene;
use crate::scene::until;
use crate::{Form, Kind};

/// The operator's program ends in the middle of its statement; then the service does, at each step of what it replays.
pub(super) fn killed(kind: Kind, form: Form) -> Scene {
    let mut scene = Scene::open(kind, &[]);
    scene.settings = "immediately=0".to_owned();
    scene.publish_faulty(form.pick(80, 2_000), 4, "poison");
    scene.drain("");
    scene.note_replay();
    let mut operator = scene.billing("replay", "fail=mid-replay:1");
    assert!(!operator.wait(Duration::from_secs(30)).success(), "it was killed: {}", operator.log());
    scene.faults += 1;
    // Nobody knows whether the statement was executed: the operator repeats it. What has been handled meanwhile is none of it.
    scene.billing("replay", "").ends_well(Duration::from_secs(30));
    until("nothing is dead", Duration::from_secs(30), || scene.dead() == 0);
    let points = ["leased:1", "inside:2", "committed:1", "mid-settle:1", "settled:1", "leased:2", "committed:3"];
    for point in &points[..form.pick(3, points.len())] {
        let mut service = scene.billing("service", &format!("mended=true fail={point}"));
        let status = service.wait(Duration::from_secs(60));
        assert!(!status.success(), "it was killed: {}", service.log());
        scene.faults += 1;
        if form == Form::Short {
            scene.end_leases();
        }
    }
    scene.mended();
    scene.drain("mended=true");
    scene
}
