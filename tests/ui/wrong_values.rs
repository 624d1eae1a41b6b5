//! Arguments whose values are missing, superfluous or of another sort.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(response = "u64", error, idempotent = true)]
struct PlaceOrder;

#[derive(Debug, serde::Serialize, NotificationEvent)]
#[event(name = order_placed, topic = "", key = "id")]
struct OrderPlaced {
    id: u64,
}

#[event_handler(OrderPlaced, order = FIRST, after_commit = true)]
struct NotifyCustomer {
    #[inject]
    attempts: u32,
    #[inject(with)]
    sender: String,
}

fn main() {}
