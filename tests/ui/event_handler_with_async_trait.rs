//! The `impl` of an event's handler has an `#[async_trait]` that it does not need.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[event_handler(OrderPlaced)]
struct NotifyCustomer;

#[diator::async_trait]
impl EventHandler<OrderPlaced> for NotifyCustomer {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
