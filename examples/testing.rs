//! Tests handlers: with a fake service, with a replaced handler, and with assertions on the published events.
//!
//! Run the program with `cargo run --example testing`, and its tests with `cargo test --example testing`. Neither
//! needs a server.

use std::sync::Arc;

use diator::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Command)]
#[request(response = u64, error = OrderError)]
struct PlaceOrder {
    customer: u64,
    pieces: u64,
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("customer {0} has no credit")]
    NoCredit(u64),
    #[error("the price is not to be had")]
    NoPrice(#[from] SendError<BoxError>),
}

#[derive(Debug, Query)]
#[request(response = u64)]
struct PriceOf {
    pieces: u64,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct OrderPlaced {
    customer: u64,
    price: u64,
}

trait Bank: Send + Sync {
    fn has_credit(&self, customer: u64, price: u64) -> bool;
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    bank: Arc<dyn Bank>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<u64, OrderError> {
        let PlaceOrder { customer, pieces } = command;
        let price = cx.send(PriceOf { pieces }).await?;
        if !self.bank.has_credit(customer, price) {
            return Err(OrderError::NoCredit(customer));
        }
        cx.emit(OrderPlaced { customer, price });
        Ok(price)
    }
}

#[request_handler(PriceOf)]
struct PriceOfHandler;

impl RequestHandler<PriceOf> for PriceOfHandler {
    async fn handle(&self, query: PriceOf, _: &mut RequestContext<'_, PriceOf>) -> Result<u64, BoxError> {
        Ok(query.pieces * 12)
    }
}

// --- The program: tests change only the container's content and the broker. ----------------------

/// A bank that lends everybody up to a thousand.
struct Generous;

impl Bank for Generous {
    fn has_credit(&self, _customer: u64, price: u64) -> bool {
        price <= 1000
    }
}

fn services() -> Services {
    Services::new().singleton::<dyn Bank>(Arc::new(Generous))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let broker = InMemoryBroker::new();
    let mediator = Mediator::from_registry().container(services()).broker(broker.clone()).build()?;
    let price = mediator.send(PlaceOrder { customer: 7, pieces: 3 }).await?;
    println!("an order for {price}; published: {:?}", broker.published_events::<OrderPlaced>());
    Ok(())
}

// --- Its tests. -----------------------------------------------------------------------------------

#[cfg(test)]
mod tests {
    use super::*;

    /// The program with a broker that can be asked; `services` may differ from the program's own.
    fn program(services: Services) -> (diator::MediatorBuilder, InMemoryBroker) {
        let broker = InMemoryBroker::new();
        (Mediator::from_registry().container(services).broker(broker.clone()), broker)
    }

    #[tokio::test]
    async fn an_order_is_announced_with_its_price() -> Result<(), BoxError> {
        let (builder, broker) = program(services());
        let mediator = builder.build()?;
        assert_eq!(mediator.send(PlaceOrder { customer: 7, pieces: 3 }).await?, 36);
        broker.assert_published::<OrderPlaced>(|event| event.customer == 7 && event.price == 36);
        Ok(())
    }

    /// Lends nobody anything.
    struct Strict;

    impl Bank for Strict {
        fn has_credit(&self, _customer: u64, _price: u64) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn without_credit_nothing_happens() -> Result<(), BoxError> {
        // A fake service: what is registered later takes the place of what was there.
        let (builder, broker) = program(services().singleton::<dyn Bank>(Arc::new(Strict)));
        let mediator = builder.build()?;
        let refused = mediator.send(PlaceOrder { customer: 7, pieces: 3 }).await;
        assert!(matches!(refused, Err(SendError::Handler(OrderError::NoCredit(7)))));
        broker.assert_nothing_published();
        Ok(())
    }

    /// Stands in for the handler of prices. It has no attribute: two handlers of one query do not compile.
    struct Dear;

    impl RequestHandler<PriceOf> for Dear {
        async fn handle(&self, _: PriceOf, _: &mut RequestContext<'_, PriceOf>) -> Result<u64, BoxError> {
            Ok(1001)
        }
    }

    #[tokio::test]
    async fn a_dear_order_finds_no_credit() -> Result<(), BoxError> {
        let (builder, broker) = program(services());
        let mediator = builder.replace::<PriceOf>(Dear).build()?;
        let refused = mediator.send(PlaceOrder { customer: 7, pieces: 3 }).await;
        assert!(matches!(refused, Err(SendError::Handler(OrderError::NoCredit(7)))));
        broker.assert_not_published::<OrderPlaced>();
        Ok(())
    }
}
