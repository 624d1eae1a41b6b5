//! Two crates handle one request.

use diator::prelude::*;
use orders_contracts::CountOrders;

diator::link!(orders, old_orders);

async fn count(mediator: &Mediator) {
    let _orders = mediator.send(CountOrders).await;
}

fn main() {
    let _ = count;
}
