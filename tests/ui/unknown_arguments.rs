//! Arguments that no attribute knows, near misses among them.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(respons = u64, retries = 3)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
#[event(must_be_handeld, priority = 1)]
struct OrderPlaced;

#[request_handler(PlaceOrder, order = 1)]
struct PlaceOrderHandler;

#[event_handler(OrderPlaced, ordre = 1, after = "commit")]
struct NotifyCustomer {
    #[inject(cloned)]
    attempts: u32,
}

fn main() {}
