//! An event is sent instead of emitted.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

async fn place(mediator: &Mediator) {
    let _answer = mediator.send(OrderPlaced).await;
}

fn main() {
    let _ = place;
}
