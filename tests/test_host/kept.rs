//! What endpoints keep in a delivery store.

use std::sync::Arc;
use std::time::Duration;

use diator::Inbox;
use diator::deliveries::DeliveryFilter;
use diator::endpoint::{Endpoint, ErrorPolicy};
use diator::inbox::InMemoryInbox;
use diator::outbox::InMemoryOutbox;
use diator::prelude::*;
use diator::relay::Relay;
use diator_testkit::{RunningTestHost, TestHost};

use super::{
    Bank, Charge, Conduct, OrderCharged, OrderPlaced, Thank, billing, mailing, order, said, said_by, services,
};

async fn with_a_store(bank: Arc<Bank>, broker: &InMemoryBroker, inbox: &InMemoryInbox) -> RunningTestHost {
    with_a_store_and(billing(broker.clone()), bank, broker, inbox).await
}

async fn with_a_store_and(
    endpoint: Endpoint,
    bank: Arc<Bank>,
    broker: &InMemoryBroker,
    inbox: &InMemoryInbox,
) -> RunningTestHost {
    let outbox = InMemoryOutbox::new();
    let mediator = Mediator::builder()
        .handlers(handlers![Charge, Thank])
        .container(services(bank).extend(outbox.services()))
        .broker(broker.clone())
        .outbox(outbox.clone())
        .inbox(inbox.clone())
        .build()
        .unwrap();
    let test = TestHost::new(mediator, broker.clone()).endpoint(endpoint);
    test.endpoint(mailing(broker.clone())).relay(Relay::new(outbox)).start().await
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_what_the_store_keeps_and_sees_its_dead_letters() {
    let (broker, inbox) = (InMemoryBroker::new(), InMemoryInbox::new());
    let test = with_a_store(Bank::new(1, [Conduct::Busy, Conduct::Busy]), &broker, &inbox).await;
    test.publish(OrderPlaced { order_id: 1, cents: 100 }).await;
    test.publish(OrderPlaced { order_id: 2, cents: -1 }).await;
    test.settle().await;
    test.handled::<OrderPlaced>().on(|order| order.order_id == 1).times(3);
    test.handled::<OrderCharged>().succeeded().once();
    let dead =
        || test.dead_letters::<OrderPlaced>().of("billing").because("billing.charge: -1 cents cannot be charged");
    dead().on(|order| order.order_id == 2).once();
    assert!(broker.dead_letters("billing").is_empty());
    assert!(said(|| test.assert_no_dead_letters()).contains("expected no dead letter, found 1"));
    assert_eq!(test.replay(&DeliveryFilter::dead()).await, 1);
    test.settle().await;
    test.handled::<OrderPlaced>().on(|order| order.order_id == 2).failed().times(2);
    dead().once();
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_is_no_attempt() {
    let (broker, inbox) = (InMemoryBroker::new(), InMemoryInbox::new());
    let test = with_a_store(Bank::new(1, []), &broker, &inbox).await;
    test.publish(OrderPlaced { order_id: 1, cents: 100 }).await;
    test.settle().await;
    assert_eq!(broker.replay("billing"), 1);
    test.settle().await;
    test.handled::<OrderPlaced>().once();
    test.handled::<OrderCharged>().once();
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_message_and_the_memory_of_the_inbox_go_by_one_clock() {
    let (broker, inbox) = (InMemoryBroker::new(), InMemoryInbox::new().with_retention(Duration::from_secs(3_600)));
    let test = with_a_store(Bank::new(1, []), &broker, &inbox).await;
    test.publish(order(1)).await;
    test.settle().await;
    test.advance(inbox.retention() * 4).await;
    assert_eq!(broker.replay("billing"), 1);
    test.publish(order(2)).await;
    test.settle().await;
    test.handled::<OrderPlaced>().on(|order| order.order_id == 1).once();
    test.handled::<OrderPlaced>().on(|order| order.order_id == 2).succeeded().once();
    test.assert_no_dead_letters();
}

#[tokio::test(start_paused = true)]
async fn it_says_what_a_store_keeps() {
    let (broker, inbox) = (InMemoryBroker::new(), InMemoryInbox::new());
    let test = with_a_store(Bank::new(1, [Conduct::Busy, Conduct::Busy]), &broker, &inbox).await;
    test.publish(OrderPlaced { order_id: 1, cents: 100 }).await;
    let said = said_by(async move { test.settle_within(Duration::from_secs(60)).await }).await;
    assert!(said.contains("    1. OrderPlaced, in its delivery store"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_under_a_former_name_is_in_flight_and_may_be_a_dead_letter() {
    let (broker, inbox, bank) = (InMemoryBroker::new(), InMemoryInbox::new(), Bank::new(1, [Conduct::Busy; 3]));
    let test = with_a_store(bank.clone(), &broker, &inbox).await;
    test.publish(order(1)).await;
    test.advance(Duration::from_secs(1)).await;
    drop(test);
    let invoicing = Endpoint::new("invoicing", broker.clone()).topics(["orders"]).formerly("billing");
    let invoicing = invoicing.errors(ErrorPolicy::new().immediately(0));
    let test = with_a_store_and(invoicing, bank, &broker, &inbox).await;
    test.settle().await;
    test.handled::<OrderPlaced>().failed().once();
    test.dead_letters::<OrderPlaced>().of("invoicing").because("the bank is busy").once();
}
