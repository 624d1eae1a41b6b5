//! What happens in each drill of the chain.

pub mod controls;

mod consumers;
mod databases;
mod kills;
mod messages;
mod servers;

use std::time::{Duration, Instant};

use super::{Scene, Way};
use crate::drill::Drill;
use crate::{Form, Process};

/// The processes of a drill, under load.
struct Running {
    shop: Process,
    billing: Process,
    subscriber: Process,
}

impl Running {
    fn start(scene: &Scene) -> Self {
        let subscriber = scene.subscriber();
        let billing = scene.billing("");
        let shop = scene.shop("service", "");
        let running = Self { shop, billing, subscriber };
        scene.until_effects(50);
        running
    }
}

/// One round after the other: so many in the short form, and otherwise for as long as the form says.
fn rounds(form: Form, short: usize) -> impl Iterator<Item = usize> {
    let (begun, time) = (Instant::now(), Duration::from_secs(if form == Form::Middle { 20 } else { 180 }));
    (0..).take_while(move |round| if form == Form::Short { *round < short } else { begun.elapsed() < time })
}

/// How long something is away that a minute of a drill's three is about.
fn outage(form: Form) -> Duration {
    Duration::from_secs(match form {
        Form::Short => 4,
        Form::Middle => 15,
        Form::Long => 60,
    })
}

/// All end in good order, when nothing waits any more.
fn finish(mut scene: Scene, running: Running) -> Scene {
    let Running { mut shop, mut billing, mut subscriber } = running;
    shop.stop();
    let mut relay = scene.shop("relay", "");
    scene.until_drained(Duration::from_secs(180));
    [&mut relay, &mut billing, &mut subscriber].into_iter().for_each(Process::stop);
    scene
}

const BOTH: &[Way] = &[Way::PerKey, Way::Unordered];

/// The columns of their table.
pub const COLUMNS: &[&str] = &[
    "fault",
    "order",
    "times",
    "acknowledged",
    "effects",
    "lost",
    "doubled",
    "dead letters",
    "published again",
    "seen",
    "of which again",
];

/// All of them.
pub const DRILLS: &[Drill<Scene, Way>] = &[
    Drill { name: "kill -9 of the shop at its fail points", on: BOTH, stage: kills::shop_at_fail_points },
    Drill { name: "kill -9 of the shop at random instants", on: BOTH, stage: kills::shop_at_random },
    Drill { name: "kill -9 of the shop's relay, a process", on: BOTH, stage: kills::relay_at_random },
    Drill { name: "kill -9 of the billing service at its fail points", on: BOTH, stage: kills::billing_at_fail_points },
    Drill { name: "kill -9 of the billing service at random instants", on: BOTH, stage: kills::billing_at_random },
    Drill { name: "kill -9 of the subscriber", on: BOTH, stage: kills::subscriber_at_random },
    Drill { name: "Redis killed", on: BOTH, stage: servers::killed },
    Drill { name: "Redis away for a minute", on: BOTH, stage: servers::away },
    Drill { name: "Redis standing still for a minute", on: BOTH, stage: servers::still },
    Drill { name: "Redis failed over", on: BOTH, stage: servers::failed_over },
    Drill { name: "the shop's database restarted", on: BOTH, stage: databases::shop_restarted },
    Drill { name: "the billing service's database restarted", on: BOTH, stage: databases::billing_restarted },
    Drill { name: "the billing service's database away for a minute", on: BOTH, stage: databases::billing_away },
    Drill { name: "the shop stopped beyond its leases", on: BOTH, stage: consumers::shop_stopped },
    Drill { name: "the billing service stopped beyond its leases", on: BOTH, stage: consumers::billing_stopped },
    Drill { name: "two consumers, rolling restart", on: BOTH, stage: consumers::two },
    Drill { name: "four consumers, rolling restart", on: BOTH, stage: consumers::four },
    Drill { name: "all published again", on: BOTH, stage: messages::again },
    Drill { name: "poison, replayed", on: BOTH, stage: messages::poison },
];
