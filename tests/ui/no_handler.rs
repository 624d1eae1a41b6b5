//! A request is sent that nothing in sight handles.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

async fn place(mediator: &Mediator) {
    let _answer = mediator.send(PlaceOrder).await;
}

fn main() {
    let _ = place;
}
