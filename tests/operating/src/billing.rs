//! Billing charges the orders of the shop, by a gateway that can answer wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diator::broker::MessageType;
use diator::endpoint::{Endpoint, ErrorPolicy, OnDead, OnError, Order};
use diator::host::Host;
use diator::outbox::OutboxStore;
use diator::prelude::*;
use diator::{MessageBroker, OutboundMessage};
use diator_sqlx::SqlxStore;
use sqlx::Sqlite;
use uuid::Uuid;

use crate::shop::{OrderPlaced, PlaceOrder, PlaceOrderHandler};

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug, thiserror::Error)]
enum ChargeError {
    #[error("the gateway answers 502")]
    Gateway,
    #[error("the gateway is busy")]
    Busy,
    #[error("order {0} has no customer")]
    NoCustomer(u64),
}

/// What fails.
#[derive(Default)]
struct Faults {
    is_gateway_wrong: bool,
    is_gateway_busy: bool,
    without_customer: BTreeSet<u64>,
}

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    faults: Arc<Faults>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        match order.order_id {
            _ if self.faults.is_gateway_wrong => Err(ChargeError::Gateway.into()),
            _ if self.faults.is_gateway_busy => Err(ChargeError::Busy.into()),
            id if self.faults.without_customer.contains(&id) => Err(ChargeError::NoCustomer(id).into()),
            _ => Ok(()),
        }
    }
}

/// Takes orders with these numbers, publishes them and charges them, until nothing can be done any more.
///
/// `gateway=wrong` lets every charge fail, and `gateway=busy` lets it wait for an hour; `unknown=7` lets those of order 7 fail; `poison`
/// publishes what no handler can read; with `park` a dead letter keeps the later messages of its key waiting.
pub(crate) async fn run(store: &SqlxStore<Sqlite>, arguments: &[String]) -> Result<(), BoxError> {
    let (mut faults, mut orders, mut on_dead) = (Faults::default(), Vec::new(), OnDead::Continue);
    let broker = InMemoryBroker::new();
    for argument in arguments {
        match argument.split_once('=') {
            Some(("gateway", "busy")) => faults.is_gateway_busy = true,
            Some(("gateway", answers)) => faults.is_gateway_wrong = answers == "wrong",
            Some((_, order_id)) => _ = faults.without_customer.insert(order_id.parse()?),
            None if argument == "park" => on_dead = OnDead::Park,
            None if argument == "poison" => _ = broker.publish(&poison()).await?,
            None => orders.push(argument.parse()?),
        }
    }
    let services = Services::new().extend(store.services()).singleton::<Faults>(Arc::new(faults));
    let builder = Mediator::builder().handlers(handlers![PlaceOrderHandler, Charge]).container(services);
    let mediator = builder.broker(broker.clone()).outbox(store.outbox()).inbox(store.inbox()).build()?;
    for order_id in orders {
        mediator.send(PlaceOrder { order_id }).await?;
    }
    let policy =
        ErrorPolicy::new().immediately(0).later([HOUR]).on_dead(on_dead).when::<ChargeError>(|error| match error {
            ChargeError::Busy => OnError::Retry,
            _ => OnError::DeadLetter,
        });
    let endpoint = Endpoint::new("billing", broker.clone()).topics(["orders"]).order(Order::PerKey).errors(policy);
    let host = Host::new(mediator).endpoint(endpoint).relay(store.relay());
    host.run_until(all_is_done(store, &broker)).await?;
    Ok(())
}

fn poison() -> OutboundMessage {
    let id = Uuid::now_v7();
    let body = serde_json::json!({
        "message_type": "notification_event",
        "message_name": "OrderPlaced",
        "message_id": id,
        "payload": { "order_id": "six" },
    });
    let message = OutboundMessage::new(id, MessageType::Notification, "OrderPlaced", body.to_string().into_bytes());
    message.with_topic("orders").with_key("6")
}

/// Until whatever is left waits for an operator, or for an hour.
async fn all_is_done(store: &SqlxStore<Sqlite>, broker: &InMemoryBroker) -> Result<(), BoxError> {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        broker.all_settled("billing").await;
        let outbox = store.status().await?;
        // What a process has in hand is due when its lease ends, which is within minutes.
        let due = OutboxStore::deliveries(store).ok_or("it keeps them")?.next_due("billing").await?;
        if outbox.pending == 0 && due.is_none_or(|due| due > HOUR / 2) {
            return Ok(());
        }
    }
}
