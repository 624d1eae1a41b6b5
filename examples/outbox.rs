//! An event reaches the broker, although the process dies between the commit and the publishing.
//!
//! `cargo run --example outbox` needs no server: SQLite and the broker are built in. The program starts itself as a second
//! process, which places an order and kills itself. Then the first process publishes the event that the second one has left in the
//! database.
//!
//! On real servers:
//!
//! ```sh
//! export DATABASE_URL=postgres://postgres@127.0.0.1/shop REDIS_URL=redis://127.0.0.1
//! cargo run --features postgres,redis --example outbox
//! ```
//!
//! Without the feature `postgres` the database is SQLite. `DATABASE_URL` may name its file: `sqlite:shop.db?mode=rwc`.
//! `docs/outbox.md` explains the outbox.

use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use diator::MessageBroker;
use diator::host::Host;
use diator::outbox::OutboxStore;
use diator::prelude::*;
use diator_sqlx::{SqlxStore, Transaction};
use serde::{Deserialize, Serialize};
use sqlx::Pool;
#[cfg(feature = "postgres")]
use sqlx::Postgres as Database;
#[cfg(not(feature = "postgres"))]
use sqlx::Sqlite as Database;

// --- A command, its event and its handler. ------------------------------------------------------

#[derive(Debug, Command)]
struct PlaceOrder {
    order_id: i64,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: i64,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    transaction: Arc<Transaction<Database>>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        let PlaceOrder { order_id } = command;
        let insert = sqlx::query("INSERT INTO diator_example_orders VALUES ($1)").bind(order_id);
        insert.execute(&mut *self.transaction.connection().await?).await?;
        // The outbox writes it in the same transaction: both are there after the commit, or neither is.
        cx.emit(OrderPlaced { order_id });
        Ok(())
    }
}

fn mediator(store: &SqlxStore<Database>, broker: impl MessageBroker) -> Result<Mediator, BoxError> {
    let services = Services::new().extend(store.services());
    Ok(Mediator::from_registry().container(services).broker(broker).outbox(store.outbox()).build()?)
}

// --- The two processes. -------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if env::args().nth(1).as_deref() == Some(ORDER_AND_DIE) { order_and_die().await } else { go_on_after_that().await }
}

/// The argument of the process that dies.
const ORDER_AND_DIE: &str = "order-and-die";

async fn order_and_die() -> Result<(), BoxError> {
    let pool = Pool::connect(&env::var("DATABASE_URL")?).await?;
    let mediator = mediator(&SqlxStore::new(pool), InMemoryBroker::new())?;
    mediator.send(PlaceOrder { order_id: 1 }).await?;
    println!("the order is committed, and the process dies");
    // No relay runs in this process, so nobody has published the event.
    process::abort();
}

async fn go_on_after_that() -> Result<(), BoxError> {
    let folder = Folder::new()?;
    let url = match env::var("DATABASE_URL") {
        Ok(url) => url,
        Err(_) if cfg!(feature = "postgres") => return Err("set DATABASE_URL to the address of PostgreSQL".into()),
        Err(_) => format!("sqlite:{}?mode=rwc", folder.0.join("shop.db").display()),
    };
    let pool = Pool::connect(&url).await?;
    let store = SqlxStore::new(pool.clone());
    // The migrations of a service make the tables: `docs/outbox.md` says how.
    store.apply_schema().await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await?;

    let died = Command::new(env::current_exe()?).arg(ORDER_AND_DIE).env("DATABASE_URL", &url).status()?;
    assert!(!died.success(), "the process must die");
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM diator_example_orders").fetch_one(&pool).await?;
    println!("the database has {orders} order, and {} event in the outbox", store.status().await?.pending);
    publish(&store).await?;
    println!("now the outbox has {} events", store.status().await?.pending);
    Ok(())
}

/// Runs the relay in a host, as a service does, until the event has arrived.
async fn publish(store: &SqlxStore<Database>) -> Result<(), BoxError> {
    #[cfg(feature = "redis")]
    if let Ok(url) = env::var("REDIS_URL") {
        let broker = diator_redis::RedisBroker::new(diator_redis::RedisConfig::streams(url))?;
        Host::new(mediator(store, broker)?).relay(store.relay()).run_until(all_are_sent(store)).await?;
        println!("Redis has the event; read it with `redis-cli XRANGE orders - +`");
        return Ok(());
    }
    let broker = InMemoryBroker::new();
    Host::new(mediator(store, broker.clone())?).relay(store.relay()).run_until(all_are_sent(store)).await?;
    println!("published: {:?}", broker.published_events::<OrderPlaced>());
    Ok(())
}

/// Waits until nothing is pending; a service waits for `diator::host::shutdown_signal()` instead.
async fn all_are_sent(store: &SqlxStore<Database>) -> Result<(), BoxError> {
    while store.status().await?.pending > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS diator_example_orders (id bigint PRIMARY KEY);
    DELETE FROM diator_example_orders;
";

/// A temporary folder, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("diator-outbox-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
