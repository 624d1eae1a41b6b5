//! A program that names the crate of the handlers without `link!`.

use diator::prelude::*;
use orders as _;
use orders_contracts::{CountOrders, Log, OrderPlaced, PlaceOrder};

fn mediator() -> Mediator {
    let services = Services::new().value(Log::default());
    Mediator::from_registry().container(services).broker(InMemoryBroker::new()).build().unwrap()
}

#[tokio::test]
async fn private_handlers_answer_send() {
    let mediator = mediator();
    assert_eq!(mediator.send(PlaceOrder { article: "tea".to_owned() }).await.unwrap(), 1);
    assert_eq!(mediator.send(CountOrders).await.unwrap(), 1);
}

#[tokio::test]
async fn private_handlers_answer_send_dyn() {
    let mediator = mediator();
    assert_eq!(mediator.send_dyn(PlaceOrder { article: "tea".to_owned() }).await.unwrap(), 1);
    assert_eq!(mediator.send_dyn(CountOrders).await.unwrap(), 1);
}

#[tokio::test]
async fn private_handlers_handle_events() {
    let log = std::sync::Arc::new(Log::default());
    let services = Services::new().singleton(log.clone());
    let mediator = Mediator::from_registry().container(services).broker(InMemoryBroker::new()).build().unwrap();
    mediator.emit(OrderPlaced { number: 3 }).await.unwrap();
    assert_eq!(log.lines(), ["receipt 3"]);
}
