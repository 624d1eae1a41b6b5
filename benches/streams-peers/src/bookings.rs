//! The server, its stream, and what is done with a message.

use std::process::Command;
use std::sync::Arc;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use diator_testkit::ServerProcess;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, Value, cmd};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) const STREAM: &str = "bookings";
pub(crate) const GROUP: &str = "desk";
const BATCH: u64 = 1_000;

#[derive(Debug, Serialize, Deserialize, diator::NotificationEvent)]
#[event(topic = "bookings", key = room)]
pub(crate) struct Booked {
    pub(crate) room: u64,
    pub(crate) guest: String,
}

/// What a body has around an event.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) payload: Booked,
}

/// What has arrived in this turn.
pub(crate) struct Desk {
    enough: u64,
    handled: AtomicU64,
    is_enough: Notify,
}

/// A peer's handler is a function, which reaches nothing but this.
static DESK: RwLock<Option<Arc<Desk>>> = RwLock::new(None);

impl Desk {
    pub(crate) fn open(enough: u64) -> Arc<Self> {
        let desk = Arc::new(Self { enough, handled: AtomicU64::new(0), is_enough: Notify::new() });
        *DESK.write().expect("nobody panics") = Some(desk.clone());
        desk
    }

    pub(crate) fn of_this_turn() -> Arc<Self> {
        DESK.read().expect("nobody panics").clone().expect("a turn has begun")
    }

    pub(crate) fn handle(&self, _: &Booked) {
        if self.handled.fetch_add(1, Ordering::Relaxed) + 1 == self.enough {
            self.is_enough.notify_one();
        }
    }

    pub(crate) async fn has_enough(&self) {
        self.is_enough.notified().await;
    }
}

/// A server that keeps nothing on disk.
pub(crate) struct Server {
    _process: ServerProcess,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let process = ServerProcess::start("Ready to accept connections", |port| {
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
            command
        });
        let url = format!("redis://127.0.0.1:{}", process.port());
        Self { _process: process, url }
    }

    /// A connection whose commands may wait.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = Client::open(&*self.url).expect("it is a URL");
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&config).await.expect("it is there")
    }

    /// Writes entries that each contender reads: the body is in the field of ours, and once more in the peer's.
    pub(crate) async fn fill(&self, messages: u64) -> usize {
        let (mut connection, mut bytes) = (self.connection().await, 0);
        for begin in (0..messages).step_by(BATCH as usize) {
            let mut pipeline = Pipeline::new();
            for number in begin..messages.min(begin + BATCH) {
                let id = Uuid::now_v7();
                let body = json!({
                    "message_type": "notification_event", "message_name": "Booked", "message_id": id,
                    "payload": { "event_id": id, "event_timestamp": "2026-11-22T22:31:53.997858", "room": number % 1_000, "guest": "A".repeat(60) },
                });
                let body = body.to_string();
                bytes = body.len();
                pipeline
                    .cmd("XADD")
                    .arg(STREAM)
                    .arg("*")
                    .arg("id")
                    .arg(id.to_string())
                    .arg("type")
                    .arg("notification_event");
                pipeline.arg("name").arg("Booked").arg("content_type").arg("application/json").arg("body").arg(&body);
                pipeline.arg("_payload").arg(&body).ignore();
            }
            pipeline.query_async::<()>(&mut connection).await.expect("they are taken");
        }
        bytes
    }

    /// The group begins at the first entry again.
    pub(crate) async fn make_group_anew(&self) {
        let mut connection = self.connection().await;
        let _ = cmd("XGROUP").arg("DESTROY").arg(STREAM).arg(GROUP).query_async::<Value>(&mut connection).await;
        let mut create = cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(STREAM)
            .arg(GROUP)
            .arg("0")
            .query_async::<()>(&mut connection)
            .await
            .expect("it is new");
    }

    /// How many entries were given out and not acknowledged.
    pub(crate) async fn left_over(&self) -> u64 {
        let mut connection = self.connection().await;
        let pending: (u64, Value, Value, Value) =
            cmd("XPENDING").arg(STREAM).arg(GROUP).query_async(&mut connection).await.expect("it is there");
        pending.0
    }
}
