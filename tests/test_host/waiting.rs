//! What the host for tests waits for.

use std::sync::Arc;
use std::time::Duration;

use diator::broker::PublishErrorKind;
use diator::endpoint::{ErrorPolicy, OnError};
use diator::outbox::InMemoryOutbox;
use diator::prelude::*;
use diator::relay::Relay;
use diator_testkit::{RunningTestHost, TestHost};
use tokio::time::sleep;

use super::{
    Bank, BankError, Charge, Conduct, OrderCharged, OrderPlaced, Thank, billing, mailing, order, program, said_by,
    services, started,
};

/// A program with an outbox, whole.
async fn with_outbox(broker: &InMemoryBroker) -> (Mediator, RunningTestHost) {
    let outbox = InMemoryOutbox::new();
    let mediator = Mediator::builder()
        .handlers(handlers![Charge, Thank])
        .container(services(Arc::default()).extend(outbox.services()))
        .broker(broker.clone())
        .outbox(outbox.clone())
        .build()
        .unwrap();
    let host = TestHost::new(mediator.clone(), broker.clone()).endpoint(billing(broker.clone()));
    let test = host.endpoint(mailing(broker.clone())).relay(Relay::new(outbox)).start().await;
    (mediator, test)
}

#[tokio::test(start_paused = true)]
async fn an_outbox_is_in_flight_until_the_relay_has_published() {
    let broker = InMemoryBroker::new();
    let (mediator, test) = with_outbox(&broker).await;
    mediator.emit(order(1)).await.unwrap();
    test.settle().await;
    test.handled::<OrderPlaced>().succeeded().once();
    // It was written to the outbox by a handler, and handled after the relay had published it.
    test.handled::<OrderCharged>().succeeded().once();
    broker.assert_published::<OrderCharged>(|charged| charged.order_id == 1);

    broker.refuse(PublishErrorKind::Transient { retry_after: None });
    mediator.emit(order(2)).await.unwrap();
    let (broker_again, accept) = (broker.clone(), sleep(Duration::from_secs(600)));
    tokio::spawn(async move {
        accept.await;
        broker_again.accept();
    });
    test.settle().await;
    test.handled::<OrderCharged>().on(|charged| charged.order_id == 2).once();
}

#[tokio::test(start_paused = true)]
async fn what_was_emitted_for_later_is_not_in_flight() {
    let broker = InMemoryBroker::new();
    let (mediator, test) = with_outbox(&broker).await;
    mediator.emit_after(Duration::from_secs(3_600), order(1)).await.unwrap();
    test.settle().await;
    test.handled::<OrderPlaced>().never();
    test.advance(Duration::from_secs(3_600)).await;
    test.settle().await;
    test.handled::<OrderPlaced>().succeeded().once();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_goes_back_and_forth_is_in_flight() {
    let broker = InMemoryBroker::new();
    let subscription = broker.subscription();
    let test = TestHost::new(program(Bank::new(1, [Conduct::Closed; 3]), &broker), broker.clone())
        .endpoint(billing(subscription))
        .endpoint(mailing(broker.clone()))
        .start()
        .await;
    test.publish(order(1)).await;
    test.publish(order(2)).await;
    broker.fail_settlements(3);
    test.settle().await;
    test.handled::<OrderPlaced>().failed_with("the bank is closed").times(3);
    test.handled::<OrderPlaced>().succeeded().times(2);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_ever_and_says_what_it_waits_for() {
    let broker = InMemoryBroker::new();
    let test = started(Bank::new(1, [Conduct::Closed; 1_000]), &broker).await;
    test.publish(order(1)).await;
    let test = Arc::new(test);
    let settling = test.clone();
    let said = said_by(async move { settling.settle_within(Duration::from_secs(150)).await }).await;
    let (begin, report) = said.split_once("\n\n").unwrap();
    let [place, what] = *begin.splitn(2, ": ").collect::<Vec<_>>() else { panic!("{said}") };
    assert!(place.starts_with("tests/test_host/waiting.rs:"), "{place}");
    assert_eq!(
        what,
        "something is still in flight after 150.000 s of the clock\n  \
         endpoint `billing` (paused) holds 1 message, 0 running; its last error: billing.charge: the bank is closed; unsettled:\n    \
         1. OrderPlaced"
    );
    assert_eq!(report.matches("failed: the bank is closed").count(), 3, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_never_gives_up_is_named() {
    let (broker, bank) = (InMemoryBroker::new(), Bank::new(1, [Conduct::Busy; 20_000]));
    let policy = ErrorPolicy::new().when::<BankError>(|_| OnError::Again(Duration::from_millis(10)));
    let endpoint = billing(broker.clone()).errors(policy);
    let host = TestHost::new(program(bank, &broker), broker.clone()).endpoint(endpoint).endpoint(mailing(broker));
    let test = host.start().await;
    test.publish(order(1)).await;
    let said = said_by(async move { test.settle().await }).await;
    let expected = ": `billing.charge` was tried 10000 times on one message, and no rule of its policy ends that";
    assert!(said.contains("test_host/waiting.rs:") && said.ends_with(expected), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_cannot_publish_is_named() {
    let broker = InMemoryBroker::new();
    let (mediator, test) = with_outbox(&broker).await;
    broker.refuse(PublishErrorKind::Transient { retry_after: None });
    mediator.emit(order(1)).await.unwrap();
    let said = said_by(async move { test.settle_within(Duration::from_secs(60)).await }).await;
    let expected = ["the relay has not published a message for 60.", "is set to refuse", "nothing was handled"];
    assert!(expected.iter().all(|text| said.contains(text)), "{said}");
}
