//! A small shop, with everything that a catalog has to tell of.

use std::sync::Arc;

use diator::middleware::{Answered, Call, MessageInfo, MessageKind, Middleware, Next};
use diator::prelude::*;
use diator::{MediatorBuilder, PublishError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Command)]
#[request(response = u64, error = OutOfStock)]
#[expect(dead_code, reason = "nobody reads what is ordered")]
pub(crate) struct PlaceOrder {
    pub(crate) article: String,
}

#[derive(Debug)]
pub(crate) struct OutOfStock;

impl std::fmt::Display for OutOfStock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of stock")
    }
}

impl std::error::Error for OutOfStock {}

/// A mark: who may send it is written down.
pub(crate) struct Audited;

/// A mark: how many may be sent in a minute.
#[expect(dead_code, reason = "the catalog shows the words, not the value")]
pub(crate) struct RateLimit {
    pub(crate) per_minute: u32,
}

#[derive(Clone, Debug, Command)]
#[request(idempotent, mark = Audited, mark = RateLimit { per_minute: 2 * 30 })]
pub(crate) struct ShipOrder;

/// Nobody handles it.
#[derive(Debug, Query)]
pub(crate) struct CountOrders;

#[derive(Debug, Query)]
#[request(response = Option<T>)]
pub(crate) struct Find<T: Send + 'static>(pub(crate) std::marker::PhantomData<fn() -> T>);

pub(crate) mod first {
    #[derive(Debug, diator::Command)]
    pub(crate) struct Cancel;
}

pub(crate) mod second {
    #[derive(Debug, diator::Command)]
    pub(crate) struct Cancel;
}

#[derive(Debug, DomainEvent)]
#[event(must_be_handled, mark = Audited)]
pub(crate) struct OrderPlaced;

/// Nobody handles it.
#[derive(Debug, DomainEvent)]
pub(crate) struct OrderNoted;

/// An order was placed.
#[derive(Debug, Serialize, JsonSchema, NotificationEvent)]
#[event(topic = "orders", key = order_id, schema)]
pub(crate) struct OrderPlacedNotification {
    pub(crate) order_id: u64,
}

#[derive(Debug, Serialize, JsonSchema, EcstEvent)]
#[event(name = "OrderChanged", topic = "orders", schema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderState {
    pub(crate) order_id: u64,
    pub(crate) at: (f64, f64),
    pub(crate) lines: Vec<Line>,
    pub(crate) note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discount: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) article: String,
    pub(crate) parts: Vec<Line>,
}

#[derive(Debug, Serialize, JsonSchema, NotificationEvent)]
#[event(schema)]
pub(crate) struct ShopOpened;

#[derive(Debug, Serialize, JsonSchema, EcstEvent)]
#[event(schema)]
pub(crate) enum Payment {
    Requested,
    Received { amount: u64 },
    Refused(String),
}

#[derive(Debug, Serialize, JsonSchema, EcstEvent)]
#[event(schema)]
pub(crate) enum Door {
    Open,
    Closed,
}

#[derive(Debug, Serialize, JsonSchema, NotificationEvent)]
#[event(name = "Wrapped", schema)]
pub(crate) struct Wrapped(pub(crate) Line);

#[derive(Debug, Serialize, NotificationEvent)]
pub(crate) struct WithoutSchema {
    pub(crate) anything: u8,
}

#[derive(Debug, Serialize, JsonSchema, NotificationEvent)]
#[event(schema)]
pub(crate) struct Counted {
    #[serde(flatten)]
    pub(crate) articles: std::collections::BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, NotificationEvent)]
#[event(name = "PaymentArrived", alias = "MoneyCame", schema)]
pub(crate) struct PaymentArrived {
    pub(crate) order_id: u64,
    #[serde(default)]
    pub(crate) note: String,
}

pub(crate) trait Stock: Send + Sync {}

pub(crate) struct Shelf;

impl Stock for Shelf {}

/// Each message has its own.
pub(crate) struct Transaction;

#[request_handler(PlaceOrder)]
pub(crate) struct PlaceOrderHandler {
    _stock: Arc<dyn Stock>,
    _transaction: Arc<Transaction>,
    _clock: Option<Arc<u128>>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<u64, OutOfStock> {
        cx.emit(OrderPlaced);
        cx.emit(OrderPlacedNotification { order_id: 1 });
        Ok(1)
    }
}

#[request_handler(ShipOrder)]
#[request_handler(first::Cancel, second::Cancel)]
pub(crate) struct Warehouse;

impl RequestHandler<ShipOrder> for Warehouse {
    async fn handle(&self, _: ShipOrder, _: &mut RequestContext<'_, ShipOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl RequestHandler<first::Cancel> for Warehouse {
    async fn handle(&self, _: first::Cancel, _: &mut RequestContext<'_, first::Cancel>) -> Result<(), BoxError> {
        Ok(())
    }
}

impl RequestHandler<second::Cancel> for Warehouse {
    async fn handle(&self, _: second::Cancel, cx: &mut RequestContext<'_, second::Cancel>) -> Result<(), BoxError> {
        Ok(cx.send_dyn(first::Cancel).await?)
    }
}

#[request_handler(Find<u8>)]
pub(crate) struct FindHandler;

impl RequestHandler<Find<u8>> for FindHandler {
    async fn handle(&self, _: Find<u8>, _: &mut RequestContext<'_, Find<u8>>) -> Result<Option<u8>, BoxError> {
        Ok(None)
    }
}

#[event_handler(OrderPlaced, order = 20)]
pub(crate) struct Ship;

impl EventHandler<OrderPlaced> for Ship {
    async fn handle(&self, _: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(cx.send(ShipOrder).await?)
    }
}

#[event_handler(OrderPlaced, order = 10)]
#[event_handler(PaymentArrived)]
pub(crate) struct Note;

impl EventHandler<OrderPlaced> for Note {
    async fn handle(&self, _: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        cx.emit(OrderNoted);
        Ok(())
    }
}

impl EventHandler<PaymentArrived> for Note {
    async fn handle(&self, _: &PaymentArrived, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[event_handler(OrderPlaced, order = -5, after_commit)]
pub(crate) struct Mail;

impl EventHandler<OrderPlaced> for Mail {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Wraps commands alone.
pub(crate) struct Audit;

#[diator::async_trait]
impl Middleware for Audit {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.kind == MessageKind::Command
    }

    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

/// Cannot be reached, as on a developer's machine.
pub(crate) struct Unreachable;

#[diator::async_trait]
impl diator::MessageBroker for Unreachable {
    async fn publish(&self, _: &diator::OutboundMessage) -> Result<diator::broker::Receipt, PublishError> {
        Err(PublishError::fatal("nothing is up"))
    }

    fn guarantees(&self) -> diator::broker::Guarantees {
        diator::broker::Guarantees::none().durable().ordered_by_key().max_body(1024)
    }
}

pub(crate) fn builder() -> MediatorBuilder {
    let services = Services::new()
        .singleton::<dyn Stock>(Arc::new(Shelf))
        .scoped(|_| -> Result<Transaction, BoxError> { Err("no database is up".into()) });
    Mediator::from_registry().container(services).middleware(Audit).allow_unhandled::<CountOrders>().broker(Unreachable)
}
