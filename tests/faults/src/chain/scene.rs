use std::fmt;
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::drill::Judged;
use crate::inbox;
use crate::process::Process;
use crate::row::Row;
use crate::scene::until;
use crate::servers::{Kind, output};
use crate::verdict::Verdict;

use super::replication::Replication;

/// In which order the services handle messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In any: a topic is one stream.
    Unordered,
    /// Those of a key as they were committed: a topic has eight streams.
    PerKey,
}

impl Way {
    /// How many streams a topic has, as settings say it.
    fn streams(self) -> u32 {
        match self {
            Self::Unordered => 0,
            Self::PerKey => 8,
        }
    }

    /// The streams of a topic.
    fn of(self, topic: &str) -> Vec<String> {
        match self {
            Self::Unordered => vec![topic.to_owned()],
            Self::PerKey => (0..self.streams()).map(|number| format!("{topic}.{number}")).collect(),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unordered => "none",
            Self::PerKey => "per key",
        })
    }
}

/// How many orders are placed in a second; the billing service handles more.
const RATE: u32 = 60;

/// One drill of the chain: two services, the server between them, and the subscriber.
#[derive(Debug)]
pub struct Scene {
    /// The service that places orders, with the Redis server of all.
    pub shop: crate::Scene,
    /// The service that handles them; nothing comes from its engine.
    pub billing: inbox::Scene,
    /// How often something was broken.
    pub faults: u64,
    /// Each n-th order cannot be handled; 0 is none.
    pub faulty: u32,
    /// Whether such orders were handled in the end.
    pub replayed: bool,
    /// Settings of all processes, which those of a process itself can change.
    pub settings: String,
    way: Way,
    replication: Option<Replication>,
}

impl Scene {
    /// Starts the servers and makes the tables.
    ///
    /// # Panics
    ///
    /// Something is not installed.
    #[must_use]
    pub fn open(way: Way) -> Self {
        let shop = crate::Scene::open(Kind::Postgres, &[]);
        let mut billing = inbox::Scene::open(Kind::Postgres, &[]);
        billing.in_order = way == Way::PerKey;
        let settings = format!("redis={} streams={}", shop.redis.port(), way.streams());
        Self { shop, billing, faults: 0, faulty: 0, replayed: false, settings, way, replication: None }
    }

    /// The same with a server whose replica is so far behind, and services that wait for so many of them.
    ///
    /// # Panics
    ///
    /// Something is not installed.
    #[must_use]
    pub fn open_replicated(way: Way, behind: Duration, replicas: u32) -> Self {
        let mut scene = Self::open(way);
        let replication = Replication::start(&scene.shop.redis, behind);
        scene.settings += &format!(" redis={} replicas={replicas}", replication.port());
        scene.replication = Some(replication);
        scene
    }

    /// Kills the server, and lets its replica take over.
    ///
    /// # Panics
    ///
    /// It has none.
    pub fn fail_over(&mut self) {
        self.replication.as_mut().expect("the server has a replica").fail_over(&mut self.shop.redis);
        self.faults += 1;
    }

    /// Starts a process of the shop; settings are separated by blanks.
    #[must_use]
    pub fn shop(&self, role: &str, settings: &str) -> Process {
        self.shop.shop(role, &format!("{} rate={RATE} faulty={} {settings}", self.settings, self.faulty))
    }

    /// Starts a process of the billing service.
    #[must_use]
    pub fn billing(&self, settings: &str) -> Process {
        self.billing.billing("service", &format!("{} {settings}", self.settings))
    }

    /// Starts the subscriber.
    #[must_use]
    pub fn subscriber(&self) -> Process {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/record-vectors");
        let mut python = Command::new(output(Command::new(script).arg("--python")));
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/chain/subscriber.py"));
        let settings: Vec<_> = self.settings.split_whitespace().map(str::to_owned).collect();
        self.shop.folder.start(python, "subscribe", &settings)
    }

    /// Waits until so many more orders are acknowledged.
    pub fn until_acknowledged(&self, more: usize) {
        self.shop.until_acknowledged(more);
    }

    /// Waits until all that is acknowledged by now has taken effect, or as much as that is.
    ///
    /// # Panics
    ///
    /// It takes longer than two minutes.
    pub fn until_caught_up(&self) {
        let wanted = 2 * self.shop.acknowledged() as u64;
        until("the backlog has taken effect", Duration::from_secs(120), || {
            sleep(Duration::from_millis(100));
            self.billing.effects() >= wanted
        });
    }

    /// Waits until the subscriber has seen so many more events.
    ///
    /// # Panics
    ///
    /// It takes longer than a minute.
    pub fn until_seen(&self, more: usize) {
        let seen =
            || fs::read(self.shop.folder().join("seen.jsonl")).unwrap_or_default().split(|&byte| byte == b'\n').count();
        let wanted = seen() + more;
        until("the subscriber sees events", Duration::from_secs(60), || seen() >= wanted);
    }

    /// Waits until there are so many more effects.
    pub fn until_effects(&self, more: u64) {
        self.billing.until_effects(more);
    }

    /// The fault is over, which is no outage.
    pub fn mended(&mut self) {
        self.shop.mended();
    }

    /// Whatever was wrong is so no longer: from now on the backlog must be drained.
    pub fn healed_after(&mut self, outage: Duration) {
        self.shop.healed_after(outage);
    }

    /// Waits until nothing waits, wherever it could.
    ///
    /// # Panics
    ///
    /// It takes longer.
    pub fn until_drained(&mut self, patience: Duration) {
        until("nothing waits", patience, || {
            // Each look starts programs.
            sleep(Duration::from_millis(100));
            self.shop.pending() == 0
                && self.unread("orders", "billing") == 0
                && self.billing.waiting() == 0
                && self.untold() == 0
                && self.unread("billing", "notifications") == 0
        });
        self.shop.times.drained();
    }

    /// How many events the billing service has not published.
    fn untold(&self) -> u64 {
        self.billing
            .database
            .sql("SELECT count(*) FROM diator_outbox WHERE status = 0")
            .parse()
            .expect("it is a number")
    }

    /// How many streams of the topic have something that the group has not read or not acknowledged.
    fn unread(&self, topic: &str, group: &str) -> u64 {
        const UNREAD: &str = include_str!("unread.lua");
        let streams = self.way.of(topic);
        let count = streams.len().to_string();
        let mut command = vec!["EVAL", UNREAD, &count];
        command.extend(streams.iter().map(String::as_str));
        command.push(group);
        self.shop.redis.cli(&command).parse().expect("it is a number")
    }
}

impl Judged for Scene {
    /// `scripts/reconcile-chain` judges.
    fn judge(&self, name: &str) -> Row {
        let mut drill = json!({
            "shop": self.shop.database.url(),
            "billing": self.billing.database.url(),
            "redis": self.shop.redis.port(),
            "orders": self.way.of("orders"),
            "told": self.way.of("billing"),
            "handlers": ["billing.charge", "billing.remind"],
            "ordered": self.way == Way::PerKey,
            "faulty": self.faulty,
            "replayed": self.replayed,
        });
        self.shop.times.tell(&mut drill);
        let verdict = Verdict::of("reconcile-chain", self.shop.folder(), name, &drill);
        let acknowledged = verdict.count("answers", "acknowledged");
        let counts = [
            ("once", "effects"),
            ("kept", "lost"),
            ("once", "again"),
            ("dead", "dead"),
            ("known", "repeated"),
            ("seen", "seen"),
            ("seen", "repeated"),
        ];
        let counts = counts.map(|(invariant, what)| verdict.count(invariant, what).to_string());
        let mut cells = vec![name.to_owned(), self.way.to_string(), self.faults.to_string(), acknowledged.to_string()];
        cells.extend(counts);
        Row::new(cells, acknowledged, self.shop.times.until_drained(), &verdict).broken(self.faults)
    }

    fn keep(&self) {
        self.shop.keep();
        self.billing.keep();
    }
}
