//! A program that calls the crate of the handlers by another name than that crate does itself.

use std::sync::Arc;

use diator::prelude::*;
use orders_contracts::{Log, OrderPlaced};

diator::link!(old_billing = billing);

fn builder(log: &Arc<Log>) -> diator::MediatorBuilder {
    let services = Services::new().singleton(log.clone());
    Mediator::from_registry().container(services).broker(InMemoryBroker::new()).remote("orders_contracts")
}

#[tokio::test]
async fn a_crate_under_another_name_has_contributed() {
    let log = Arc::<Log>::default();
    let mediator = builder(&log).build().unwrap();
    mediator.emit(OrderPlaced { number: 3 }).await.unwrap();
    assert_eq!(log.lines(), ["bill 3"]);
}
