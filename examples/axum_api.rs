//! A web service with axum: each route sends a command or a query, and typed errors become status codes.
//!
//! Run it with `cargo run --example axum_api`, and then:
//!
//! ```sh
//! curl -i localhost:3000/orders -H 'content-type: application/json' -d '{"article": "chair", "pieces": 2}' \
//!     -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
//! curl -i localhost:3000/stock/chair
//! ```
//!
//! It prints the events that it publishes, with the trace of the request. With `BROKER_DOWN=1` it still places orders,
//! and logs the events that could not be published. After SIGTERM, running requests have a few seconds to finish. The
//! example needs no server, but a Unix system, for the signal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use diator::broker::{Guarantees, MessageBroker, OutboundMessage, PublishError, Receipt};
use diator::middleware::{TimeoutMiddleware, TracingMiddleware};
use diator::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tracing_subscriber::fmt::format::FmtSpan;

// --- Messages. ----------------------------------------------------------------------------------

#[derive(Debug, Deserialize, Command)]
#[request(response = Order, error = OrderError)]
struct PlaceOrder {
    article: String,
    pieces: u32,
}

#[derive(Debug, Query)]
#[request(response = Stock, error = OrderError)]
struct StockOf {
    article: String,
}

#[derive(Debug, Serialize)]
struct Order {
    id: u64,
}

#[derive(Debug, Serialize)]
struct Stock {
    pieces: u32,
}

#[derive(Debug, Serialize, NotificationEvent)]
struct OrderPlaced {
    order_id: u64,
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("there is no article `{0}`")]
    UnknownArticle(String),
    #[error("only {0} pieces are left")]
    SoldOut(u32),
    #[error("an order has at least one piece")]
    NoPieces,
    #[error("another order is being packed, try again in a moment")]
    Busy,
}

// --- The web: routes send, and our own error has a status; diator's have theirs. ----------------

fn routes(mediator: Mediator) -> Router {
    Router::new().route("/orders", post(place_order)).route("/stock/{article}", get(stock_of)).with_state(mediator)
}

async fn stock_of(
    State(mediator): State<Mediator>,
    meta: Meta,
    Path(article): Path<String>,
) -> Result<Json<Stock>, SendError<OrderError>> {
    let stock = mediator.with(meta).send(StockOf { article }).await?;
    Ok(Json(stock))
}

async fn place_order(
    State(mediator): State<Mediator>,
    meta: Meta,
    Json(command): Json<PlaceOrder>,
) -> Result<(StatusCode, Json<Order>), SendError<OrderError>> {
    let order = mediator.with(meta).send(command).await?;
    Ok((StatusCode::CREATED, Json(order)))
}

impl IntoResponse for OrderError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownArticle(_) => StatusCode::NOT_FOUND,
            Self::SoldOut(_) => StatusCode::CONFLICT,
            Self::NoPieces => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.to_string()).into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // A line for each message when it ends, with its duration; without this line, only failures would be logged.
    tracing_subscriber::fmt().with_span_events(FmtSpan::CLOSE).init();
    let warehouse = Arc::new(Warehouse::with([("chair", 100), ("table", 3)]));
    let mediator = Mediator::from_registry()
        .container(Services::new().singleton::<Warehouse>(warehouse))
        .broker(Console { down: std::env::var_os("BROKER_DOWN").is_some() })
        .middleware(TracingMiddleware::new())
        .middleware(TimeoutMiddleware::new(Duration::from_secs(30))?)
        // The order stands: the client gets its 201, and the operator learns what failed, and which events must be
        // published again.
        .on_undelivered(|undelivered| tracing::error!(again = ?undelivered.messages(), "{undelivered}"))
        .build()?;

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let serving = axum::serve(listener, routes(mediator.clone())).with_graceful_shutdown(terminated());
    // axum waits for its clients without a limit: after the signal they have five seconds.
    let overdue = async {
        terminated().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    tokio::select! {
        served = serving.into_future() => served?,
        () = overdue => {}
    }

    // A request whose client went away may have committed: its events are still being published.
    let left = mediator.shutdown(Duration::from_secs(10)).await;
    println!("stopped, with {} messages and {} tasks left", left.messages, left.tasks);
    Ok(())
}

async fn terminated() {
    let mut terminate = signal(SignalKind::terminate()).expect("the process may listen for a signal");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

// --- Handlers: they know nothing of the web. ------------------------------------------------------

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    warehouse: Arc<Warehouse>,
    #[inject(default)]
    orders: AtomicU64,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<Order, OrderError> {
        self.warehouse.pack(&command.article, command.pieces).await?;
        let id = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
        cx.emit(OrderPlaced { order_id: id });
        Ok(Order { id })
    }
}

#[request_handler(StockOf)]
struct StockOfHandler {
    warehouse: Arc<Warehouse>,
}

impl RequestHandler<StockOf> for StockOfHandler {
    async fn handle(&self, query: StockOf, _: &mut RequestContext<'_, StockOf>) -> Result<Stock, OrderError> {
        Ok(Stock { pieces: self.warehouse.pieces(&query.article)? })
    }
}

/// A warehouse that packs one order at a time, at fifty milliseconds for a piece.
struct Warehouse {
    stock: Mutex<HashMap<&'static str, u32>>,
    packing: Semaphore,
}

impl Warehouse {
    fn with<const N: usize>(stock: [(&'static str, u32); N]) -> Self {
        Self { stock: Mutex::new(stock.into()), packing: Semaphore::new(1) }
    }

    fn pieces(&self, article: &str) -> Result<u32, OrderError> {
        let stock = self.stock.lock().expect("nobody panics while holding the lock");
        stock.get(article).copied().ok_or_else(|| OrderError::UnknownArticle(article.to_owned()))
    }

    async fn pack(&self, article: &str, pieces: u32) -> Result<(), OrderError> {
        let _packing = self.packing.try_acquire().map_err(|_| OrderError::Busy)?;
        self.take(article, pieces)?;
        tokio::time::sleep(Duration::from_millis(50) * pieces).await;
        Ok(())
    }

    fn take(&self, article: &str, pieces: u32) -> Result<(), OrderError> {
        let mut stock = self.stock.lock().expect("nobody panics while holding the lock");
        let left = stock.get_mut(article).ok_or_else(|| OrderError::UnknownArticle(article.to_owned()))?;
        if pieces == 0 {
            return Err(OrderError::NoPieces);
        }
        *left = left.checked_sub(pieces).ok_or(OrderError::SoldOut(*left))?;
        Ok(())
    }
}

/// A broker that prints the events: put `RedisBroker` or `ServiceBusBroker` in its place.
struct Console {
    down: bool,
}

#[diator::async_trait]
impl MessageBroker for Console {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        if self.down {
            return Err(PublishError::transient("the console is down"));
        }
        let trace = message.traceparent.as_deref().unwrap_or("none");
        println!("published {} in the trace {trace}", message.name);
        Ok(Receipt::Sent)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none().ordered()
    }
}
