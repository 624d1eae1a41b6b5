//! A handler sends an event instead of emitting it.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.send_dyn(OrderPlaced).await?;
        Ok(())
    }
}

fn main() {}
