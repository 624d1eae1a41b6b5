//! The server, and what is published to it.

use std::process::Command;
use std::time::Duration;

use diator::broker::MessageType;
use diator::{MessageBroker, OutboundMessage};
use diator_redis::{RedisBroker, RedisConfig, Streams};
use diator_testkit::ServerProcess;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, cmd};
use serde_json::json;
use uuid::Uuid;

use super::bookings::{Booked, KEYS, TOPIC};

/// As many as the driver has in a pipeline.
const BATCH: u64 = 1_000;
/// A body then has about 300 bytes.
pub(crate) const GUEST: usize = 95;

pub(crate) const PARTITIONS: u32 = 8;

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

    pub(crate) fn config(&self, partitioned: bool) -> RedisConfig<Streams> {
        let config = RedisConfig::streams(&*self.url).untrimmed();
        if partitioned { config.partitions(PARTITIONS) } else { config }
    }

    /// Publishes so many messages, and tells how long a body is.
    pub(crate) async fn fill(&self, partitioned: bool, messages: u64) -> usize {
        let broker = RedisBroker::new(self.config(partitioned)).expect("it is right");
        for begin in (0..messages).step_by(usize::try_from(BATCH).expect("it is small")) {
            let batch: Vec<_> = (begin..messages.min(begin + BATCH)).map(message).collect();
            let answers = broker.publish_batch(&batch).await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        }
        body(Uuid::nil(), &Booked::new(0, "A".repeat(GUEST))).len()
    }

    /// A connection whose commands may wait.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = Client::open(&*self.url).expect("it is a URL");
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&config).await.expect("it is there")
    }

    /// Removes a consumer group of a stream, which the next turn has no use for.
    pub(crate) async fn forget(&self, stream: &str, group: &str) {
        let mut connection = self.connection().await;
        cmd("XGROUP")
            .arg("DESTROY")
            .arg(stream)
            .arg(group)
            .query_async::<()>(&mut connection)
            .await
            .expect("it is there");
    }
}

/// The streams that a contender reads.
pub(crate) fn streams(partitioned: bool) -> Vec<String> {
    if partitioned {
        (0..PARTITIONS).map(|number| format!("{TOPIC}.{number}")).collect()
    } else {
        vec![TOPIC.to_owned()]
    }
}

fn message(number: u64) -> OutboundMessage {
    let (id, event) = (Uuid::now_v7(), Booked::new(number % KEYS, "A".repeat(GUEST)));
    let message = OutboundMessage::new(id, MessageType::Notification, "Booked", body(id, &event));
    message.with_topic(TOPIC).with_key(event.room.to_string())
}

/// As the mediator encodes an event.
pub(crate) fn body(id: Uuid, event: &Booked) -> Vec<u8> {
    let body = json!({
        "message_type": "notification_event",
        "message_name": "Booked",
        "message_id": id,
        "payload": {
            "event_id": id,
            "event_timestamp": "2026-11-22T22:31:53.997858",
            "room": event.room,
            "guest": event.guest,
            "sent": event.sent,
        },
    });
    body.to_string().into_bytes()
}

/// Long enough for a consumer to have opened, and its group to be made.
pub(crate) const OPENS: Duration = Duration::from_secs(1);
