//! The handler fails with another type than the request says.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(error = std::fmt::Error)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
