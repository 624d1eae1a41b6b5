//! A handler sends a request that nothing in sight handles.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[derive(Debug, Command)]
struct ReserveStock;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        cx.send(ReserveStock).await?;
        Ok(())
    }
}

fn main() {}
