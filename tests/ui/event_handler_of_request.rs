//! An event handler is to handle a command.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[event_handler(PlaceOrder)]
struct PlaceOrderHandler;

impl EventHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, _: &PlaceOrder, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
