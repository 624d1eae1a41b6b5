//! The web: each route sends a command or a query, and each typed error has a status.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use diator::host::{Health, HostMonitor};
use diator::prelude::*;
use serde::Deserialize;

use crate::orders::{CancelOrder, Order, OrderById, OrderError, OrdersOf, PlaceOrder};

pub fn routes(mediator: Mediator) -> Router {
    Router::new()
        .route("/orders/{order_id}", put(place_order).get(order).delete(cancel_order))
        .route("/customers/{customer}/orders", get(orders_of))
        .with_state(mediator)
}

pub fn health_page(monitor: HostMonitor) -> Router {
    Router::new().route("/health", get(health)).with_state(monitor)
}

#[derive(Deserialize)]
struct NewOrder {
    customer: String,
    product: String,
    pieces: i64,
}

async fn place_order(
    State(mediator): State<Mediator>,
    Path(order_id): Path<i64>,
    Json(NewOrder { customer, product, pieces }): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Refusal> {
    let order = mediator.send(PlaceOrder { order_id, customer, product, pieces }).await?;
    Ok((StatusCode::CREATED, Json(order)))
}

async fn cancel_order(State(mediator): State<Mediator>, Path(order_id): Path<i64>) -> Result<StatusCode, Refusal> {
    mediator.send(CancelOrder { order_id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn order(State(mediator): State<Mediator>, Path(order_id): Path<i64>) -> Result<Json<Order>, Refusal> {
    Ok(Json(mediator.send(OrderById { order_id }).await?))
}

async fn orders_of(
    State(mediator): State<Mediator>,
    Path(customer): Path<String>,
) -> Result<Json<Vec<Order>>, Refusal> {
    Ok(Json(mediator.send(OrdersOf { customer }).await?))
}

async fn health(State(monitor): State<HostMonitor>) -> (StatusCode, Json<Health>) {
    let health = monitor.health().await;
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health))
}

struct Refusal(SendError<OrderError>);

impl From<SendError<OrderError>> for Refusal {
    fn from(error: SendError<OrderError>) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let SendError::Handler(error) = self.0 else {
            return failed(&self.0);
        };
        let status = match error {
            OrderError::UnknownProduct(_) | OrderError::UnknownOrder(_) => StatusCode::NOT_FOUND,
            OrderError::SoldOut(_) | OrderError::AlreadyPlaced(_) | OrderError::AlreadyCancelled(_) => {
                StatusCode::CONFLICT
            }
            OrderError::NoPieces => StatusCode::UNPROCESSABLE_ENTITY,
            OrderError::Database(_) => return failed(&error),
        };
        (status, error.to_string()).into_response()
    }
}

/// The log has the cause; a client has nothing to do with it.
fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "a request failed");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
