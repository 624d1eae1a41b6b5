//! Two handlers answer one request, in two modules.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        Ok(())
    }
}

mod other {
    use super::*;

    #[request_handler(PlaceOrder)]
    struct OtherHandler;

    impl RequestHandler<PlaceOrder> for OtherHandler {
        async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

async fn place(mediator: &Mediator) {
    let _answer = mediator.send(PlaceOrder).await;
}

fn main() {
    let _ = place;
}
