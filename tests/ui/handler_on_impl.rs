//! The attribute stands on the `impl`.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

struct PlaceOrderHandler;

#[request_handler(PlaceOrder)]
impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

async fn place(mediator: &Mediator) {
    let _answer = mediator.send(PlaceOrder).await;
}

fn main() {
    let _ = (place, PlaceOrderHandler);
}
