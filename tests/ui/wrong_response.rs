//! The handler answers with another type than the request says.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(response = u64)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<String, BoxError> {
        Ok(String::new())
    }
}

fn main() {}
