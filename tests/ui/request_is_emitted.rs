//! A command is emitted instead of sent.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

async fn place(mediator: &Mediator) {
    let _answer = mediator.emit(PlaceOrder).await;
}

fn main() {
    let _ = place;
}
