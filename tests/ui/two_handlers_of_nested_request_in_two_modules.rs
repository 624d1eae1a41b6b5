//! Two handlers answer one nested request, in two modules.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[derive(Debug, Command)]
struct Pay;

#[request_handler(Pay)]
struct PayHandler;

impl RequestHandler<Pay> for PayHandler {
    async fn handle(&self, _: Pay, _: &mut RequestContext<'_, Pay>) -> Result<(), BoxError> {
        Ok(())
    }
}

mod other {
    use super::*;

    #[request_handler(Pay)]
    struct OtherHandler;

    impl RequestHandler<Pay> for OtherHandler {
        async fn handle(&self, _: Pay, _: &mut RequestContext<'_, Pay>) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        Ok(cx.send(Pay).await?)
    }
}

fn main() {}
