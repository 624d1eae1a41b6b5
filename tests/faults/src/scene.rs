use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use diator_testkit::Postgres;
use serde_json::json;

use crate::drill::Judged;
use crate::drills::Disk;
use crate::folder::Folder;
use crate::process::{Process, program};
use crate::row::Row;
use crate::servers::{Database, Kind, Redis};
use crate::times::Times;
use crate::verdict::Verdict;

/// One drill: its servers, its processes, and what the judge is told of it.
#[derive(Debug)]
pub struct Scene {
    /// Where the shop keeps its tables.
    pub database: Database,
    /// Where the relay publishes.
    pub redis: Redis,
    /// Processes that were killed, servers of databases among them.
    pub crashes: u32,
    /// Relays that slept longer than their leases.
    pub lost_leases: u32,
    /// Calls to the broker that may have arrived without an answer.
    pub ambiguous: u32,
    /// Dead letters that the drill makes on purpose.
    pub expect_dead: u32,
    /// How many messages a relay may have under way.
    pub batch: u32,
    /// How long a relay owns partitions, in milliseconds.
    pub lease: u32,
    pub(crate) times: Times,
    streams: Vec<&'static str>,
    /// Unmounted before its folder goes.
    disk: Option<Disk>,
    pub(crate) folder: Folder,
}

impl Scene {
    /// Starts the servers and makes the tables; the settings are PostgreSQL's.
    ///
    /// # Panics
    ///
    /// Something is not installed.
    #[must_use]
    pub fn open(kind: Kind, settings: &[&str]) -> Self {
        let folder = Folder::new("drill");
        let database = match kind {
            Kind::Postgres => Database::Postgres(Postgres::start(settings)),
            Kind::Sqlite => Database::Sqlite(folder.path().join("shop.db")),
        };
        Self::with(database, folder, None)
    }

    pub(crate) fn with(database: Database, folder: Folder, disk: Option<Disk>) -> Self {
        // On SQLite a relay waits for the only lock there is, behind all who write.
        let lease = if matches!(database, Database::Postgres(_)) { 2_000 } else { 10_000 };
        let scene = Self {
            database,
            redis: Redis::start(),
            crashes: 0,
            lost_leases: 0,
            ambiguous: 0,
            expect_dead: 0,
            batch: 100,
            lease,
            times: Times::default(),
            streams: vec!["orders"],
            disk,
            folder,
        };
        scene.shop("schema", "").ends_well(Duration::from_secs(60));
        scene
    }

    /// Starts a process of the shop; settings are separated by blanks.
    #[must_use]
    pub fn shop(&self, role: &str, settings: &str) -> Process {
        self.shop_in(role, settings, &[])
    }

    /// Starts one with variables of its environment.
    #[must_use]
    pub fn shop_in(&self, role: &str, settings: &str, environment: &[(&str, &str)]) -> Process {
        // An order has an id of its own, whoever places it.
        let first = 1 + 1_000_000 * i64::from(self.folder.processes());
        let mut arguments = vec![
            format!("database={}", self.database.url()),
            format!("redis={}", self.redis.port()),
            format!("first={first}"),
            format!("batch={}", self.batch),
            format!("lease={}", self.lease),
        ];
        arguments.extend(settings.split_whitespace().map(str::to_owned));
        let mut shop = program("shop");
        shop.envs(environment.iter().copied());
        self.folder.start(shop, role, &arguments)
    }

    /// The drill's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Says that parcels have a stream too.
    pub fn reads_parcels(&mut self) {
        self.streams.push("parcels");
    }

    /// How many orders were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.answers("acknowledged.jsonl")
    }

    /// How many orders failed, surely or perhaps.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.answers("failed.jsonl") + self.answers("unknown.jsonl")
    }

    fn answers(&self, file: &str) -> usize {
        let answers = fs::read(self.folder.path().join(file)).unwrap_or_default();
        answers.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Gives the small disk more room.
    ///
    /// # Panics
    ///
    /// There is none.
    pub fn enlarge_disk(&self) {
        self.disk.as_ref().expect("the drill has a disk").enlarge();
    }

    /// Waits until so many more orders are acknowledged.
    ///
    /// # Panics
    ///
    /// It takes longer than a minute, and a second for each fifty.
    pub fn until_acknowledged(&self, more: usize) {
        let wanted = self.acknowledged() + more;
        until("orders are acknowledged", Duration::from_secs(60 + more as u64 / 50), || self.acknowledged() >= wanted);
    }

    /// How many messages wait for a relay, without those that a dead letter holds back.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let pending = "SELECT count(*) FROM diator_outbox o WHERE status = 0 AND NOT EXISTS (SELECT 1 FROM diator_dead_letter d \
                       WHERE d.parks_key AND d.key = o.key AND d.topic = o.topic)";
        self.database.sql(pending).parse().expect("it is a number")
    }

    /// Whatever was wrong is so no longer: from now on the backlog must be drained.
    pub fn healed_after(&mut self, outage: Duration) {
        self.times.healed_after(outage);
    }

    /// The fault is over, which is no outage.
    pub fn mended(&mut self) {
        self.times.mended();
    }

    /// Waits until nothing is pending.
    ///
    /// # Panics
    ///
    /// It takes longer.
    pub fn until_drained(&mut self, patience: Duration) {
        until("the outbox is drained", patience, || self.pending() == 0);
        self.times.drained();
    }

    /// Lets a relay of its own publish what is left.
    pub fn drain(&mut self, patience: Duration) {
        let mut relay = self.shop("relay", "");
        self.until_drained(patience);
        relay.stop();
    }
}

impl Judged for Scene {
    /// `scripts/reconcile` judges.
    fn judge(&self, name: &str) -> Row {
        let mut drill = json!({
            "database": self.database.url(),
            "table": "orders",
            "redis": self.redis.port(),
            "stream": self.streams,
            "crashes": self.crashes,
            "lost_leases": self.lost_leases,
            "ambiguous": self.ambiguous,
            "batch": self.batch,
            "expect_dead": self.expect_dead,
        });
        self.times.tell(&mut drill);
        let verdict = Verdict::of("reconcile", self.folder.path(), name, &drill);
        let acknowledged = verdict.count("answers", "acknowledged");
        let counts = [("I1", "delivered"), ("I3", "duplicates"), ("I3", "allowed")];
        let counts = counts.map(|(invariant, what)| verdict.count(invariant, what).to_string());
        let mut cells = vec![name.to_owned(), self.database.name().to_owned(), acknowledged.to_string()];
        cells.extend(counts);
        Row::new(cells, acknowledged, self.times.until_drained(), &verdict)
    }

    fn keep(&self) {
        self.folder.keep();
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < end, "after {patience:?} it is not so that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
