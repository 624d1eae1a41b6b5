//! Negative controls: a service that does something wrong, which the judge must notice.

use std::thread::sleep;
use std::time::Duration;

use super::super::{Order, Scene};
use crate::drill::Judged;
use crate::scene::until;
use crate::{Kind, Row};

/// It has no inbox, and dies with messages that it has handled and not acknowledged.
#[must_use]
pub fn has_no_inbox() -> Row {
    killed("no inbox", "wrong=no-inbox", "committed:30")
}

/// It notes a message in a transaction of its own, and dies before the handler commits.
#[must_use]
pub fn notes_outside() -> Row {
    killed("inbox outside the transaction", "wrong=inbox-outside", "inside:30")
}

/// It publishes events after the commit, and dies in between.
#[must_use]
pub fn has_no_outbox() -> Row {
    killed("inbox without outbox", "wrong=no-outbox", "committed:30")
}

/// It acknowledges before the commit, and dies in between.
#[must_use]
pub fn acks_early() -> Row {
    killed("ack before the commit", "wrong=acks-early", "inside:30")
}

fn killed(name: &str, wrong: &str, point: &str) -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    scene.publish(100);
    let mut service = scene.billing("service", &format!("{wrong} fail={point}"));
    assert!(!service.wait(Duration::from_secs(60)).success(), "it was killed");
    scene.faults += 1;
    scene.drain(wrong);
    scene.judge(name)
}

/// It acknowledges a message that has failed for good, and dies before it keeps the dead letter.
#[must_use]
pub fn keeps_late() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    scene.publish_faulty(60, 20, "poison");
    let mut service = scene.billing("service", "wrong=keeps-late immediately=0");
    until("all is acknowledged", Duration::from_secs(30), || scene.unsettled() == 0);
    service.kill();
    scene.faults += 1;
    scene.drain("");
    scene.judge("dead letter after the ack")
}

/// A dead letter does not park its key, and is replayed after those that came behind it.
#[must_use]
pub fn parks_nothing() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    scene.parks = true;
    scene.settings = "immediately=0".to_owned();
    scene.publish_faulty(120, 120, "poison");
    scene.faults = 1;
    scene.drain("wrong=parks-nothing");
    scene.note_replay();
    scene.billing("replay", "").ends_well(Duration::from_secs(30));
    scene.drain("mended=true");
    scene.judge("dead letter that parks nothing")
}

/// A replay has the generation of the first delivery, of which the inbox knows that the handler is done with it.
#[must_use]
pub fn replays_without_generation() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    scene.publish_faulty(60, 20, "poison");
    scene.faults = 3;
    scene.drain("");
    scene.note_replay();
    scene.billing("replay", "").ends_well(Duration::from_secs(30));
    scene.drain("mended=true wrong=same-generation");
    scene.judge("replay without a generation")
}

/// It remembers for a second, and says that it remembers for a week.
#[must_use]
pub fn forgets_early() -> Row {
    let mut scene = Scene::open(Kind::Postgres, &[]);
    scene.settings = "wrong=forgets-early retention=500 prunes=true".to_owned();
    let orders: Vec<Order> = scene.orders(20);
    scene.publish_all(&orders);
    let mut service = scene.billing("service", "");
    scene.until_drained(Duration::from_secs(30));
    sleep(Duration::from_millis(1_500));
    scene.publish_all(&orders);
    scene.faults = 20;
    scene.until_drained(Duration::from_secs(30));
    service.stop();
    scene.judge("retention shorter than a redelivery, forced")
}
