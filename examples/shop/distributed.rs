//! A service as a process of its own, on PostgreSQL and Redis Streams.

use std::env;
use std::time::Duration;

use diator::BoxError;
use diator::host::shutdown_signal;
use diator_redis::{RedisBroker, RedisConfig, RedisSubscription};
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::database::Database;
use crate::services::{Service, host, mediator, with_web};

pub async fn start(words: &[&str]) -> Result<(), BoxError> {
    match *words {
        ["setup", name] => database()?.create(service(name)?.tables()).await,
        [name] => run(service(name)?).await,
        _ => Err("say `shop web`, `shop billing` or `shop notifications`, or `shop setup` and one of them".into()),
    }
}

fn service(name: &str) -> Result<Service, BoxError> {
    match name {
        "web" => Ok(Service::Web),
        "billing" => Ok(Service::Billing),
        "notifications" => Ok(Service::Notifications),
        _ => Err(format!("there is no service `{name}`: say `web`, `billing` or `notifications`").into()),
    }
}

/// Runs until SIGTERM or Ctrl-C.
async fn run(service: Service) -> Result<(), BoxError> {
    let database = database()?;
    let redis = RedisConfig::streams(variable("REDIS_URL")?)
        .partitions(8) // the events of an order stay in order
        .durable() // the server must have them on its disk before they count as published
        .deadline(Duration::from_secs(2))
        .lock(Duration::from_secs(5)); // what a killed process had in hand is another one's this much later
    let mediator = mediator(&[service], &database, RedisBroker::new(redis.clone())?)?;
    let host = host(&mediator, &database, service.endpoint(RedisSubscription::new(redis)?));
    let host = match service {
        Service::Web => {
            let address = env::var("SHOP_ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
            with_web(host, mediator, TcpListener::bind(address).await?)
        }
        Service::Billing | Service::Notifications => host,
    };
    host.run_until(shutdown_signal()).await?;
    Ok(())
}

fn database() -> Result<Database, BoxError> {
    // It connects at the first statement: a process that starts during an outage of the database waits for it.
    Ok(Database::new(PgPool::connect_lazy(&variable("DATABASE_URL")?)?))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("set {name}"))
}
