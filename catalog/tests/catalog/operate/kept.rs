//! What the endpoints of a program keep, for a test of its command line.

use std::sync::Arc;
use std::time::Duration;

use diator::deliveries::{DeadReason, DeliveryStore, NewDelivery, NewState, WHOLE_MESSAGE};
use diator::inbox::InMemoryInbox;
use diator::{BoxError, Inbox};
use uuid::Uuid;

use super::fake::ORDERS;

/// Three dead letters of a handler, one that parks its key, one of a whole message; and what waits.
pub(crate) async fn kept() -> Result<Arc<dyn DeliveryStore>, BoxError> {
    let store = InMemoryInbox::new().deliveries().ok_or("it has one")?;
    let hostile = |mut new: NewDelivery| {
        new.name = Some(ORDERS.into());
        new.topic = ORDERS.into();
        new.position = Some(ORDERS.into());
        new.headers = vec![("tenant".into(), ORDERS.into())];
        new
    };
    let rows = [
        dead(order(1), "Handler", "the gateway answers 502 for order 1"),
        dead(order(2), "Handler", "the gateway answers 502 for order 2"),
        dead(order(3), "TimedOut", "no answer of redis://:hunter2@cache within 300s"),
        holding(dead(order(4), "Handler", "order 4 has no customer")),
        holding(order(4)),
        holding(after(order(5), 600)),
        holding(order(5)),
        of(order(6), "billing", "billing.mail"),
        of(order(7), "stock", "stock.take"),
        hostile(dead(of(order(8), "stock", WHOLE_MESSAGE), "Unreadable", &format!("no JSON: {ORDERS}"))),
    ];
    for (number, mut row) in rows.into_iter().enumerate() {
        row.message = Uuid::from_u128(number as u128);
        store.put(&[row]).await?;
    }
    store.lease("stock", 1, Duration::from_secs(30)).await?;
    Ok(store)
}

/// A dead letter that parks its key, behind a delivery that waits for its time.
pub(crate) async fn behind() -> Result<Arc<dyn DeliveryStore>, BoxError> {
    let store = InMemoryInbox::new().deliveries().ok_or("it has one")?;
    let rows = [
        holding(after(order(1), 600)),
        holding(dead(order(1), "Handler", "order 1 has no customer")),
        dead(order(2), "Handler", "order 2 has no customer"),
    ];
    put(&*store, rows).await?;
    Ok(store)
}

/// More dead letters of one handler than are read at once, and one of another event after them.
pub(crate) async fn many() -> Result<Arc<dyn DeliveryStore>, BoxError> {
    let store = InMemoryInbox::new().deliveries().ok_or("it has one")?;
    let mut last = of(dead(order(0), "Handler", "order 0 is gone"), "billing", "billing.cancel");
    last.name = Some("OrderCancelled".into());
    let placed = (0..10_500).map(|number| dead(order(number), "Handler", "no customer"));
    put(&*store, placed.chain([last])).await?;
    Ok(store)
}

async fn put(store: &dyn DeliveryStore, rows: impl IntoIterator<Item = NewDelivery>) -> Result<(), BoxError> {
    let number = |(number, mut row): (u128, NewDelivery)| {
        row.message = Uuid::from_u128(number);
        row
    };
    store.put(&(0..).zip(rows).map(number).collect::<Vec<_>>()).await
}

fn order(order_id: u64) -> NewDelivery {
    let body = format!("{{\"order_id\":{order_id}}}").into_bytes();
    let mut new = NewDelivery::new("billing", "billing.charge", Uuid::nil(), "orders", body);
    (new.name, new.key) = (Some("OrderPlaced".into()), Some(order_id.to_string().into()));
    (new.position, new.content_type) = (Some("orders/0/17".into()), Some("application/json".into()));
    new
}

fn of(mut new: NewDelivery, endpoint: &str, handler: &str) -> NewDelivery {
    (new.endpoint, new.handler) = (endpoint.into(), handler.into());
    new
}

fn dead(mut new: NewDelivery, kind: &str, text: &str) -> NewDelivery {
    (new.failures, new.state) = (4, NewState::Dead(DeadReason::new(kind, text)));
    new
}

fn after(mut new: NewDelivery, seconds: u64) -> NewDelivery {
    (new.failures, new.state) = (2, NewState::Waiting { after: Duration::from_secs(seconds) });
    new.last_failure = Some(DeadReason::new("Handler", format!("redis://:hunter2@cache is away: {ORDERS}")));
    new
}

fn holding(mut new: NewDelivery) -> NewDelivery {
    new.holds_key = true;
    new
}
