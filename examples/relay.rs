//! A relay as a program of its own: it publishes the events of an outbox in PostgreSQL to Redis Streams.
//!
//! The services call `.relayed_elsewhere()` on their builders and need no broker. Any number of relays may run. Run it with
//! `DATABASE_URL=postgres://… REDIS_URL=redis://… cargo run --features postgres,redis --example relay`.

use std::env;

use diator::BoxError;
use diator::host::shutdown_signal;
use diator_redis::{RedisBroker, RedisConfig};
use diator_sqlx::SqlxStore;
use sqlx::PgPool;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = SqlxStore::new(PgPool::connect_lazy(&var("DATABASE_URL")?)?);
    let broker = RedisBroker::new(RedisConfig::streams(var("REDIS_URL")?))?;
    store.relay().broker(broker).run_until(shutdown_signal()).await?;
    Ok(())
}

fn var(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("set {name}"))
}
