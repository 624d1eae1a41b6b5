//! A handler holds something across an `.await` that cannot move between threads.

use std::rc::Rc;

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        let order = Rc::new(1);
        std::future::ready(()).await;
        drop(order);
        Ok(())
    }
}

fn main() {}
