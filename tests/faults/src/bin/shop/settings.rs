use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use diator::BoxError;
use diator_faults::StreamSettings;

use crate::fail_point::{FailPoint, Point};
use crate::wrong::Wrong;

/// What the process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Makes the tables.
    Schema,
    /// Places orders, without a relay.
    Load,
    /// Relays alone.
    Relay,
    /// Both, in a host.
    Service,
    /// Gives all dead letters back to the relay.
    Replay,
    /// Gives back all that was sent: the relay sends it again.
    Again,
}

/// Each is said as `name=value`.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) role: Role,
    pub(crate) database: String,
    pub(crate) streams: StreamSettings,
    /// Where the answers are written.
    pub(crate) folder: PathBuf,
    /// How many commands are under way at once.
    pub(crate) tasks: usize,
    pub(crate) connections: u32,
    /// Orders have the ids from here on.
    pub(crate) first: i64,
    /// How many commands there are; then nothing more is placed.
    pub(crate) commands: i64,
    /// Orders of each command, all of one key.
    pub(crate) orders: i64,
    /// Commands for each second; 0 is as fast as possible.
    pub(crate) rate: u32,
    pub(crate) keys: usize,
    /// All keys have one partition.
    pub(crate) one_partition: bool,
    /// Every other order is a parcel, which has another topic.
    pub(crate) parcels: bool,
    /// This command has a body that is larger than the broker takes; -1 is none.
    pub(crate) poison: i64,
    /// Each n-th order is one that a consumer cannot handle; 0 is none.
    pub(crate) faulty: i64,
    /// Each command locks the counters of two keys, in any order.
    pub(crate) crosses: bool,
    /// How often a command is tried that failed for a passing reason.
    pub(crate) attempts: u32,
    pub(crate) batch: u32,
    pub(crate) partitions: u16,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
    pub(crate) fail: Option<FailPoint>,
    /// Says that the process can be asked to end.
    pub(crate) ready: PathBuf,
    /// How long it waits at most between staging and the commit, and before each call to the broker.
    pub(crate) stage_pause: Duration,
    pub(crate) publish_pause: Duration,
    pub(crate) wrong: Option<Wrong>,
    /// The most pages that the file of an SQLite database may have; 0 is no limit.
    pub(crate) pages: u32,
}

impl Settings {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let role = match arguments.next().as_deref() {
            Some("schema") => Role::Schema,
            Some("load") => Role::Load,
            Some("relay") => Role::Relay,
            Some("service") => Role::Service,
            Some("replay") => Role::Replay,
            Some("again") => Role::Again,
            other => return Err(format!("there is no role {other:?}").into()),
        };
        let mut settings = Self {
            role,
            database: String::new(),
            streams: StreamSettings::default(),
            folder: PathBuf::new(),
            tasks: 16,
            connections: 12,
            first: 1,
            commands: i64::MAX,
            orders: 1,
            rate: 0,
            keys: 50,
            one_partition: false,
            parcels: false,
            poison: -1,
            faulty: 0,
            crosses: false,
            attempts: 0,
            batch: 100,
            partitions: 16,
            lease: Duration::from_secs(2),
            poll: Duration::from_millis(500),
            fail: None,
            ready: PathBuf::new(),
            stage_pause: Duration::ZERO,
            publish_pause: Duration::ZERO,
            wrong: None,
            pages: 0,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').ok_or("an argument is `name=value`")?;
            settings.set(name, value).map_err(|error| format!("{argument}: {error}"))?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), BoxError> {
        match name {
            "database" => value.clone_into(&mut self.database),
            "folder" => self.folder = value.into(),
            "tasks" => self.tasks = value.parse()?,
            "connections" => self.connections = value.parse()?,
            "first" => self.first = value.parse()?,
            "commands" => self.commands = value.parse()?,
            "orders" => self.orders = value.parse()?,
            "rate" => self.rate = value.parse()?,
            "keys" => self.keys = value.parse()?,
            "one_partition" => self.one_partition = value.parse()?,
            "parcels" => self.parcels = value.parse()?,
            "poison" => self.poison = value.parse()?,
            "faulty" => self.faulty = value.parse()?,
            "crosses" => self.crosses = value.parse()?,
            "attempts" => self.attempts = value.parse()?,
            "batch" => self.batch = value.parse()?,
            "partitions" => self.partitions = value.parse()?,
            "lease" => self.lease = Duration::from_millis(value.parse()?),
            "poll" => self.poll = Duration::from_millis(value.parse()?),
            "fail" => self.fail = Some(FailPoint::from_str(value)?),
            "ready" => self.ready = value.into(),
            "stage_pause" => self.stage_pause = Duration::from_millis(value.parse()?),
            "publish_pause" => self.publish_pause = Duration::from_millis(value.parse()?),
            "wrong" => self.wrong = Some(value.parse()?),
            "pages" => self.pages = value.parse()?,
            _ if self.streams.set(name, value)? => {}
            _ => return Err("there is no such setting".into()),
        }
        Ok(())
    }

    /// The fail point, if it is this one.
    pub(crate) fn fails_at(&self, point: Point) -> Option<FailPoint> {
        self.fail.clone().filter(|fail| fail.point == point)
    }
}
