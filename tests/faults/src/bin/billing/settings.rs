use std::net::SocketAddr;
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
    /// Handles orders.
    Service,
    /// Lets endpoints handle all dead letters once more.
    Replay,
}

/// Each is said as `name=value`; times are milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) role: Role,
    pub(crate) database: String,
    /// Where orders come from, and where it publishes what it tells.
    pub(crate) streams: StreamSettings,
    /// Where orders come from without Redis.
    pub(crate) engine: SocketAddr,
    pub(crate) folder: PathBuf,
    pub(crate) ready: PathBuf,
    pub(crate) connections: u32,
    /// How long it waits for a connection of the pool.
    pub(crate) patience: Duration,
    /// How long SQLite waits for the lock on its file.
    pub(crate) busy: Duration,
    pub(crate) concurrency: usize,
    pub(crate) in_order: bool,
    pub(crate) parks: bool,
    pub(crate) max_handling: Duration,
    pub(crate) immediately: u32,
    /// The delays of `later`, separated by commas.
    pub(crate) later: Vec<Duration>,
    pub(crate) retention: Duration,
    /// How long a handler takes before it writes.
    pub(crate) pause: Duration,
    pub(crate) mended: bool,
    pub(crate) counters: i64,
    /// Deletes old rows of the inbox all the time.
    pub(crate) prunes: bool,
    pub(crate) fail: Option<FailPoint>,
    pub(crate) wrong: Option<Wrong>,
}

impl Settings {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let role = match arguments.next().as_deref() {
            Some("schema") => Role::Schema,
            Some("service") => Role::Service,
            Some("replay") => Role::Replay,
            other => return Err(format!("there is no role {other:?}").into()),
        };
        let mut settings = Self {
            role,
            database: String::new(),
            streams: StreamSettings::default(),
            engine: ([127, 0, 0, 1], 0).into(),
            folder: PathBuf::new(),
            ready: PathBuf::new(),
            connections: 12,
            patience: Duration::from_secs(5),
            busy: Duration::from_secs(5),
            concurrency: 8,
            in_order: true,
            parks: false,
            max_handling: Duration::from_secs(10),
            immediately: 1,
            later: Vec::new(),
            retention: Duration::from_secs(7 * 24 * 3_600),
            pause: Duration::ZERO,
            mended: false,
            counters: 0,
            prunes: false,
            fail: None,
            wrong: None,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').ok_or("an argument is `name=value`")?;
            settings.set(name, value).map_err(|error| format!("{argument}: {error}"))?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), BoxError> {
        let time = |value: &str| Ok::<_, BoxError>(Duration::from_millis(value.parse()?));
        match name {
            "database" => value.clone_into(&mut self.database),
            "engine" => self.engine = value.parse()?,
            "folder" => self.folder = value.into(),
            "ready" => self.ready = value.into(),
            "connections" => self.connections = value.parse()?,
            "patience" => self.patience = time(value)?,
            "busy" => self.busy = time(value)?,
            "concurrency" => self.concurrency = value.parse()?,
            "in_order" => self.in_order = value.parse()?,
            "parks" => self.parks = value.parse()?,
            "max_handling" => self.max_handling = time(value)?,
            "immediately" => self.immediately = value.parse()?,
            "later" => self.later = value.split(',').map(time).collect::<Result<_, _>>()?,
            "retention" => self.retention = time(value)?,
            "pause" => self.pause = time(value)?,
            "mended" => self.mended = value.parse()?,
            "counters" => self.counters = value.parse()?,
            "prunes" => self.prunes = value.parse()?,
            "fail" => self.fail = Some(FailPoint::from_str(value)?),
            "wrong" => self.wrong = Some(value.parse()?),
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
