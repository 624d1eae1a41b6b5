//! A handler emits a domain event for later.

use std::time::Duration;

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
struct PaymentOverdue;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.emit_after(Duration::from_secs(3600), PaymentOverdue);
        Ok(())
    }
}

fn main() {}
