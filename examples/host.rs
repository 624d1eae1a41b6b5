//! A web service with an outbox: axum, the relay and a health page in one process.
//!
//! Run it with `cargo run --example host`, and then:
//!
//! ```sh
//! curl -i -X POST localhost:3000/orders/7
//! curl -i localhost:3000/health
//! ```
//!
//! SIGTERM or Ctrl-C ends it in order. It needs no server: SQLite and the broker are built in. `docs/outbox.md` explains it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use diator::host::{Health, Host, HostMonitor, shutdown_signal};
use diator::prelude::*;
use diator_sqlx::{SqlxStore, Transaction};
use serde::Serialize;
use sqlx::{Sqlite, SqlitePool};
use tokio::net::TcpListener;

#[derive(Debug, Command)]
struct PlaceOrder {
    order_id: i64,
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: i64,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        let PlaceOrder { order_id } = command;
        let insert = sqlx::query("INSERT INTO orders VALUES (?)").bind(order_id);
        insert.execute(&mut *self.transaction.connection().await?).await?;
        cx.emit(OrderPlaced { order_id });
        Ok(())
    }
}

async fn serve(mediator: Mediator, store: SqlxStore<Sqlite>, listener: TcpListener) -> Result<(), BoxError> {
    let host = Host::new(mediator.clone()).relay(store.relay());
    let monitor = host.monitor(); // before `run_until`, which consumes the host
    let orders = Router::new().route("/orders/{order_id}", post(place_order)).with_state(mediator);
    let routes = Router::new().route("/health", get(health)).with_state(monitor).merge(orders);
    host.front(|stop| axum::serve(listener, routes).with_graceful_shutdown(stop)).run_until(shutdown_signal()).await?;
    Ok(())
}

async fn place_order(State(mediator): State<Mediator>, Path(order_id): Path<i64>) -> StatusCode {
    match mediator.send(PlaceOrder { order_id }).await {
        Ok(()) => StatusCode::CREATED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR, // `examples/axum_api.rs` tells errors apart
    }
}

async fn health(State(monitor): State<HostMonitor>) -> (StatusCode, Json<Health>) {
    let health = monitor.health().await;
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().init();
    let pool = SqlitePool::connect("sqlite::memory:").await?;
    sqlx::query("CREATE TABLE orders (order_id INTEGER PRIMARY KEY)").execute(&pool).await?;
    let store = SqlxStore::new(pool);
    store.apply_schema().await?;
    let mediator = Mediator::from_registry()
        .container(store.services())
        .broker(InMemoryBroker::new())
        .outbox(store.outbox())
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/health", listener.local_addr()?);
    serve(mediator, store, listener).await
}
