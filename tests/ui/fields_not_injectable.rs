//! Two fields are not of a type that the container could fill.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[event_handler(OrderPlaced)]
struct NotifyCustomer {
    sender: String,
    attempts: u32,
}

impl EventHandler<OrderPlaced> for NotifyCustomer {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        println!("{} {}", self.sender, self.attempts);
        Ok(())
    }
}

fn main() {}
