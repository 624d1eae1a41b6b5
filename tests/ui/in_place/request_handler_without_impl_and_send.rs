//! The attribute is there, the `impl` is not, and the request is sent.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

async fn place(mediator: &Mediator) {
    let _answer = mediator.send(PlaceOrder).await;
}

fn main() {
    let _ = place;
}
