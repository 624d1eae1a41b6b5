//! The `impl` of a handler has an `#[async_trait]` that it does not need.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

#[diator::async_trait]
impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
