//! The handler is no concrete type.

use std::sync::Arc;

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler<S> {
    store: Arc<S>,
}

impl<S: Send + Sync + 'static> RequestHandler<PlaceOrder> for PlaceOrderHandler<S> {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        let _ = &self.store;
        Ok(())
    }
}

async fn place(mediator: &Mediator) {
    let _answer = mediator.send(PlaceOrder).await;
}

fn main() {
    let _ = place;
}
