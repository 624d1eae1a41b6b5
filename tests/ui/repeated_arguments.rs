//! Arguments that are given twice.

use diator::prelude::*;

#[derive(Clone, Debug, Command)]
#[request(response = u64)]
#[request(response = u32, idempotent, idempotent)]
struct PlaceOrder;

#[derive(Debug, serde::Serialize, NotificationEvent)]
#[event(name = "order_placed", name = "placed", alias = "order_placed")]
struct OrderPlaced {
    id: u64,
}

#[event_handler(OrderPlaced, order = 1, order = 2)]
struct NotifyCustomer {
    #[inject(default, clone)]
    attempts: u32,
}

fn main() {}
