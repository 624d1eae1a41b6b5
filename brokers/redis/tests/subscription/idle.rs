//! What a subscription costs a server while nothing comes.

use std::time::Duration;

use diator::endpoint::Endpoint;
use diator::host::Host;
use diator::prelude::*;
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription, Streams};
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tracing::Level;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u64,
}

#[event_handler(OrderPlaced)]
struct Charge;

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// How often clients have sent a command, of those that an idle process sends. The server also counts what scripts call.
fn sent(server: &RedisServer, read: &str) -> u64 {
    let sent = ["eval", "ping", "role", "client|id", "client|unblock", read];
    let text = server.cli().run(&["INFO", "commandstats"]).join(",");
    let calls = |line: &str| {
        let (name, numbers) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        sent.contains(&name).then(|| numbers.split(',').next()?.parse::<u64>().ok())?
    };
    text.split(['\r', '\n']).filter_map(calls).sum()
}

/// It is asked with the default lock, of 30 s.
async fn sent_in_20_seconds(config: fn(RedisConfig<Streams>) -> RedisConfig<Streams>, read: &str) -> u64 {
    let server = RedisServer::start(&[]);
    let config = || config(RedisConfig::streams(server.url()));
    let broker = RedisBroker::new(config()).unwrap();
    let mediator = Mediator::builder().handlers(diator::handlers![Charge]).broker(broker).build().unwrap();
    let endpoint = Endpoint::new("billing", RedisSubscription::new(config()).unwrap()).topics(["orders"]);
    let host = tokio::spawn(Host::new(mediator).endpoint(endpoint).run_until(std::future::pending::<()>()));
    sleep(Duration::from_secs(5)).await;
    let before = sent(&server, read);
    sleep(Duration::from_secs(20)).await;
    host.abort();
    sent(&server, read) - before
}

/// Reads that wait for 10 s are no failure either.
#[tokio::test]
async fn an_idle_process_sends_less_than_a_command_in_a_second() {
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let shared = sent_in_20_seconds(|config| config, "xreadgroup");
    let (shared, partitioned) = tokio::join!(shared, sent_in_20_seconds(|config| config.partitions(8), "xread"));
    assert!(shared > 0 && shared < 20 && partitioned > 0 && partitioned < 20, "{shared} and {partitioned}");
    assert_eq!(log.beginning("WARN the streams"), [""; 0]);
}
