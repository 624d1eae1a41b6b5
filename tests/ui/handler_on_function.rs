//! The attribute stands on a function.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[event_handler(OrderPlaced)]
async fn notify_customer(_: &OrderPlaced) -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = notify_customer;
}
