//! A request handler is to handle an event.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[request_handler(OrderPlaced)]
struct NotifyCustomer;

impl RequestHandler<OrderPlaced> for NotifyCustomer {
    async fn handle(&self, _: OrderPlaced, _: &mut RequestContext<'_, OrderPlaced>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
