//! Two services: a shop takes orders, and a billing service handles the events of the shop.
//!
//! Run it with `cargo run --example consumer`. It needs no server: both services share a broker in memory, which
//! fulfils the same contract as a driver. The bank refuses order 2 twice, and the service tries again later. Order 3
//! can never be charged: it becomes a dead letter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::endpoint::{Endpoint, ErrorPolicy, OnError, Order};
use diator::host::Host;
use diator::prelude::*;
use serde::{Deserialize, Serialize};

// --- Shared by both services. -------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u64,
    cents: i64,
}

// --- The shop. ----------------------------------------------------------------------------------

#[derive(Debug, Command)]
struct PlaceOrder {
    order_id: u64,
    cents: i64,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(
        &self,
        PlaceOrder { order_id, cents }: PlaceOrder,
        cx: &mut RequestContext<'_, PlaceOrder>,
    ) -> Result<(), BoxError> {
        cx.emit(OrderPlaced { order_id, cents });
        Ok(())
    }
}

// --- The billing service. -----------------------------------------------------------------------

#[derive(Debug, thiserror::Error)]
enum BankError {
    #[error("the bank is busy")]
    Busy,
    #[error("{0} cents cannot be charged")]
    Amount(i64),
}

/// Counts how often each order was tried.
#[derive(Default)]
struct Bank(Mutex<BTreeMap<u64, u32>>);

impl Bank {
    fn charge(&self, order_id: u64, cents: i64) -> Result<(), BankError> {
        let mut tried = self.0.lock().expect("nobody panics while holding it");
        let times = tried.entry(order_id).or_default();
        *times += 1;
        match (order_id, *times) {
            (2, 1 | 2) => Err(BankError::Busy),
            _ if cents < 0 => Err(BankError::Amount(cents)),
            _ => Ok(()),
        }
    }
}

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    bank: Arc<Bank>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(self.bank.charge(order.order_id, order.cents)?)
    }
}

// --- Both, in one process. ----------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let broker = InMemoryBroker::new();
    let shop = Mediator::builder().handlers(handlers![PlaceOrderHandler]).broker(broker.clone()).build()?;

    let bank = Arc::new(Bank::default());
    let services = Services::new().singleton::<Bank>(bank.clone());
    let billing = Mediator::builder().handlers(handlers![Charge]).container(services).without_broker().build()?;
    let policy = ErrorPolicy::new().immediately(1).later([Duration::from_millis(100)]).when::<BankError>(|error| {
        match error {
            BankError::Busy => OnError::Retry, // once at once, then after 100 ms
            BankError::Amount(_) => OnError::DeadLetter,
        }
    });
    let endpoint = Endpoint::new("billing", broker.clone()).topics(["orders"]).order(Order::PerKey).errors(policy);

    for (order_id, cents) in [(1, 1_200), (2, 350), (3, -1)] {
        shop.send(PlaceOrder { order_id, cents }).await?;
    }
    Host::new(billing).endpoint(endpoint).run_until(broker.all_settled("billing")).await?;

    let dead = broker.dead_letters("billing");
    println!("order  tried  outcome");
    for (order_id, times) in &*bank.0.lock().expect("nobody panics while holding it") {
        let letter = dead.iter().find(|letter| letter.message.key == Some(order_id.to_string()));
        let outcome = letter.map_or("charged".to_owned(), |letter| format!("dead letter: {}", letter.reason));
        println!("{order_id:>5}  {times:>5}  {outcome}");
    }
    Ok(())
}
