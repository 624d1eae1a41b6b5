use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use diator::broker::{MessageType, OutboundMessage};
use diator_testkit::Postgres;
use serde_json::json;
use uuid::Uuid;

use crate::drill::Judged;
use crate::engine::Engine;
use crate::folder::Folder;
use crate::process::{Process, program};
use crate::row::Row;
use crate::scene::until;
use crate::servers::{Database, Kind};
use crate::times::{Times, seconds};
use crate::verdict::Verdict;

/// One drill of the inbox: its database, its engine, its processes, and what the judge is told of it.
#[derive(Debug)]
pub struct Scene {
    /// Where the service keeps its tables.
    pub database: Database,
    /// What delivers.
    pub engine: Engine,
    /// How often something was broken.
    pub faults: u64,
    /// Settings of all processes, which those of a process itself can change.
    pub settings: String,
    /// Whether messages of a key must be handled in order.
    pub in_order: bool,
    /// Whether a dead letter keeps the later messages of its key waiting.
    pub parks: bool,
    times: Times,
    published: Cell<i64>,
    folder: Folder,
}

/// A message that a drill publishes.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// The number of the key.
    pub key: i64,
    /// What the handlers write.
    pub number: i64,
    /// What is wrong with it, if something is.
    pub fault: &'static str,
}

/// For which handler a message with this fault becomes a dead letter.
const DEAD: [(&str, &str); 3] = [("poison", "billing.charge"), ("hang", "billing.charge"), ("old", "")];
const KEYS: i64 = 24;

impl Scene {
    /// Starts database and engine, and makes the tables; the settings are PostgreSQL's.
    ///
    /// # Panics
    ///
    /// Something is not installed.
    #[must_use]
    pub fn open(kind: Kind, settings: &[&str]) -> Self {
        let folder = Folder::new("inbox");
        let database = match kind {
            Kind::Postgres => Database::Postgres(Postgres::start(settings)),
            Kind::Sqlite => Database::Sqlite(folder.path().join("billing.db")),
        };
        let scene = Self {
            database,
            engine: Engine::start(),
            faults: 0,
            settings: String::new(),
            in_order: true,
            parks: false,
            times: Times::default(),
            published: Cell::new(0),
            folder,
        };
        scene.billing("schema", "").ends_well(Duration::from_secs(60));
        scene
    }

    /// Starts a process of the service; settings are separated by blanks.
    #[must_use]
    pub fn billing(&self, role: &str, settings: &str) -> Process {
        self.billing_in(role, settings, &[])
    }

    /// Starts one with variables of its environment.
    #[must_use]
    pub fn billing_in(&self, role: &str, settings: &str, environment: &[(&str, &str)]) -> Process {
        let mut arguments = vec![
            format!("database={}", self.database.url()),
            format!("engine={}", self.engine.address()),
            format!("in_order={}", self.in_order),
            format!("parks={}", self.parks),
        ];
        arguments.extend(self.settings.split_whitespace().chain(settings.split_whitespace()).map(str::to_owned));
        let mut billing = program("billing");
        billing.envs(environment.iter().copied());
        self.folder.start(billing, role, &arguments)
    }

    /// The drill's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the next messages, without a fault.
    #[must_use]
    pub fn orders(&self, count: i64) -> Vec<Order> {
        let first = self.published.replace(self.published.get() + count);
        let order = |number| Order { id: Uuid::now_v7(), key: number % KEYS, number, fault: "" };
        (first..first + count).map(order).collect()
    }

    /// Publishes so many messages.
    pub fn publish(&self, count: i64) {
        self.publish_all(&self.orders(count));
    }

    /// Publishes so many messages, of which each n-th has a fault.
    pub fn publish_faulty(&self, count: i64, nth: i64, fault: &'static str) {
        let mut orders = self.orders(count);
        orders.iter_mut().filter(|order| order.number % nth == nth / 2).for_each(|order| order.fault = fault);
        self.publish_all(&orders);
    }

    /// Publishes these, in this order.
    ///
    /// # Panics
    ///
    /// The folder cannot be written.
    pub fn publish_all(&self, orders: &[Order]) {
        let mut lines = String::new();
        for Order { id, key, number, fault } in orders {
            let at = seconds(SystemTime::now());
            let line = json!({"message": id, "key": format!("k{key}"), "number": number, "fault": fault, "at": at});
            writeln!(lines, "{line}").expect("a text takes everything");
        }
        self.append("published.jsonl", &lines);
        for Order { id, key, number, fault } in orders {
            let key = format!("k{key}");
            // As a program without this library would write it.
            let body = json!({
                "message_type": "notification_event",
                "message_name": "OrderPlaced",
                "message_id": id,
                "payload": {"order_id": number, "key": key, "note": fault},
            });
            let body = body.to_string().into_bytes();
            let message = OutboundMessage::new(*id, MessageType::Notification, "OrderPlaced", body);
            self.engine.publish(&message.with_topic("orders").with_key(key));
        }
    }

    fn append(&self, file: &str, lines: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.folder.path().join(file));
        file.and_then(|mut file| file.write_all(lines.as_bytes())).expect("the folder can be written");
    }

    /// How many effects there are.
    #[must_use]
    pub fn effects(&self) -> u64 {
        self.database.sql("SELECT count(*) FROM effects").parse().expect("it is a number")
    }

    /// Waits until there are so many more effects.
    ///
    /// # Panics
    ///
    /// It takes longer than a minute.
    pub fn until_effects(&self, more: u64) {
        let wanted = self.effects() + more;
        until("there are effects", Duration::from_secs(60), || {
            // Each look starts a program.
            sleep(Duration::from_millis(50));
            self.effects() >= wanted
        });
    }

    /// How many messages the engine has not settled.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        // An endpoint that was never open has settled nothing.
        self.engine.broker.unsettled("billing").map_or(usize::MAX, |unsettled| unsettled.len())
    }

    /// How many deliveries the store keeps that are no dead letters.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let waiting = "SELECT count(*) FROM diator_delivery WHERE dead_at IS NULL";
        self.database.sql(waiting).parse().expect("it is a number")
    }

    /// How many dead letters the store keeps.
    #[must_use]
    pub fn dead(&self) -> u64 {
        let dead = "SELECT count(*) FROM diator_delivery WHERE dead_at IS NOT NULL";
        self.database.sql(dead).parse().expect("it is a number")
    }

    /// Lets the service handle all dead letters once more, and notes which they are.
    ///
    /// # Panics
    ///
    /// The folder cannot be written.
    pub fn note_replay(&self) {
        let dead = self.database.sql("SELECT message, handler FROM diator_delivery WHERE dead_at IS NOT NULL");
        let mut lines = String::new();
        for line in dead.lines() {
            let (message, handler) = line.split_once('|').expect("there are two columns");
            writeln!(lines, "{}", json!({"message": message, "handler": handler})).expect("a text takes everything");
        }
        self.append("replayed.jsonl", &lines);
    }

    /// Lets the leases of a process that was killed end now, instead of in half a minute.
    pub fn end_leases(&self) {
        let now = if matches!(self.database, Database::Postgres(_)) { "clock_timestamp()" } else { "0" };
        let _ = self.database.sql(&format!("UPDATE diator_delivery SET due = {now} WHERE leased"));
    }

    /// How many errors the service wrote down that have this in their text.
    #[must_use]
    pub fn troubles(&self, text: &str) -> u64 {
        let troubles = fs::read_to_string(self.folder.path().join("troubles")).unwrap_or_default();
        troubles.lines().filter(|line| line.contains(text)).count() as u64
    }

    /// Whatever was wrong is so no longer: from now on the backlog must be drained.
    pub fn healed_after(&mut self, outage: Duration) {
        self.times.healed_after(outage);
    }

    /// The fault is over, which is no outage.
    pub fn mended(&mut self) {
        self.times.mended();
    }

    /// Waits until nothing waits, neither at the engine nor in the store.
    ///
    /// # Panics
    ///
    /// It takes longer.
    pub fn until_drained(&mut self, patience: Duration) {
        until("nothing waits", patience, || self.unsettled() == 0 && self.waiting() == 0);
        self.times.drained();
    }

    /// Lets a process of its own handle what is left.
    pub fn drain(&mut self, settings: &str) {
        let mut service = self.billing("service", settings);
        self.until_drained(Duration::from_secs(120));
        service.stop();
    }
}

impl Judged for Scene {
    /// `scripts/reconcile-inbox` judges.
    fn judge(&self, name: &str) -> Row {
        let broker = &self.engine.broker;
        let unsettled = broker.unsettled("billing").unwrap_or_default();
        let unsettled: Vec<_> = unsettled.iter().map(|message| message.id).collect();
        let dead: Vec<_> = broker.dead_letters("billing").iter().map(|letter| letter.message.id).collect();
        let engine = json!({"unsettled": unsettled, "dead": dead});
        fs::write(self.folder.path().join("engine.json"), engine.to_string()).expect("the folder can be written");
        let mut drill = json!({
            "database": self.database.url(),
            "handlers": ["billing.charge", "billing.remind"],
            "ordered": self.in_order,
            "parks": self.parks,
            "dead": DEAD.into_iter().collect::<BTreeMap<_, _>>(),
        });
        self.times.tell(&mut drill);
        let verdict = Verdict::of("reconcile-inbox", self.folder.path(), name, &drill);
        let [messages, repeated] = ["messages", "repeated"].map(|what| verdict.count("once", what));
        let counts = [("once", "effects"), ("dead", "dead"), ("replayed", "replayed")];
        let counts = counts.map(|(invariant, what)| verdict.count(invariant, what).to_string());
        let mut cells = vec![name.to_owned(), self.database.name().to_owned()];
        cells.extend([self.faults, messages, repeated].map(|count| count.to_string()));
        cells.extend(counts);
        Row::new(cells, messages + repeated, self.times.until_drained(), &verdict).broken(self.faults)
    }

    fn keep(&self) {
        self.folder.keep();
    }
}
