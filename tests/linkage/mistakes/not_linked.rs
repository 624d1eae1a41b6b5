//! The crate of the handlers is a dependency, but nothing names it.

use diator::prelude::*;
use orders_contracts::CountOrders;

async fn count(mediator: &Mediator) {
    let _orders = mediator.send(CountOrders).await;
}

fn main() {
    let _ = count;
}
