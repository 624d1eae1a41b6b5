use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use diator_testkit::Postgres;
use serde_json::{Value, json};

use crate::drills::Disk;
use crate::process::Process;
use crate::row::Row;
use crate::servers::{Database, Folder, Kind, Redis};

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
    outage: Option<Duration>,
    healed: Option<SystemTime>,
    drained: Option<SystemTime>,
    streams: Vec<&'static str>,
    processes: Cell<u32>,
    /// Unmounted before its folder goes.
    disk: Option<Disk>,
    folder: Folder,
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
            outage: None,
            healed: None,
            drained: None,
            streams: vec!["orders"],
            processes: Cell::new(0),
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
        let number = self.processes.get();
        self.processes.set(number + 1);
        let mut arguments = vec![
            format!("database={}", self.database.url()),
            format!("redis={}", self.redis.port()),
            format!("folder={}", self.folder.path().display()),
            format!("first={}", 1 + 1_000_000 * i64::from(number)),
            format!("batch={}", self.batch),
            format!("lease={}", self.lease),
        ];
        // The last one counts.
        arguments.extend(settings.split_whitespace().map(str::to_owned));
        Process::start("shop", role, &arguments, environment, self.folder.path().join(format!("{role}-{number}.log")))
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
        (self.outage, self.healed) = (Some(outage), Some(SystemTime::now()));
    }

    /// The fault is over, which is no outage.
    pub fn mended(&mut self) {
        self.healed = Some(SystemTime::now());
    }

    /// Waits until nothing is pending.
    ///
    /// # Panics
    ///
    /// It takes longer.
    pub fn until_drained(&mut self, patience: Duration) {
        until("the outbox is drained", patience, || self.pending() == 0);
        self.drained = Some(SystemTime::now());
    }

    /// Lets a relay of its own publish what is left.
    pub fn drain(&mut self, patience: Duration) {
        let mut relay = self.shop("relay", "");
        self.until_drained(patience);
        relay.stop();
    }

    /// Keeps its files.
    pub(crate) fn keep(&self) {
        self.folder.keep();
    }

    /// Lets `scripts/reconcile` judge what is there; all must have come to rest.
    ///
    /// # Panics
    ///
    /// There is no verdict.
    #[must_use]
    pub fn judge(&self, name: &str) -> Row {
        let seconds =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs_f64()).ok();
        let drill = json!({
            "database": self.database.url(),
            "table": "orders",
            "redis": self.redis.port(),
            "stream": self.streams,
            "crashes": self.crashes,
            "lost_leases": self.lost_leases,
            "ambiguous": self.ambiguous,
            "batch": self.batch,
            "expect_dead": self.expect_dead,
            "outage_seconds": self.outage.map(|outage| outage.as_secs_f64()),
            "healed_at": self.outage.and(self.healed).and_then(seconds),
            "drained_at": self.drained.and_then(seconds),
        });
        fs::write(self.folder.path().join("drill.json"), drill.to_string()).expect("the folder can be written");
        let verdict = judged("reconcile", self.folder.path(), name);
        let drained = self.drained.zip(self.healed).and_then(|(drained, healed)| drained.duration_since(healed).ok());
        Row::read(name, &self.database, &verdict, drained)
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

/// What a judge says of a folder: one of the scripts.
pub(crate) fn judged(script: &str, folder: &Path, name: &str) -> Value {
    let judge = format!("{}/../../scripts/{script}", env!("CARGO_MANIFEST_DIR"));
    let judged = Command::new(judge).arg("--json").arg(folder).output().expect("python3 is there");
    serde_json::from_slice(&judged.stdout)
        .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&judged.stderr)))
}
