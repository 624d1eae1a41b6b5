//! What the host for tests refuses.

use std::sync::Arc;

use diator::broker::{PublishErrorKind, RetryPolicy, RetryingBroker};
use diator::prelude::*;
use diator_testkit::TestHost;

use super::{Thank, billing, mailing, order, program, said_by, started};

#[tokio::test]
async fn a_clock_that_runs_is_refused() {
    let said = said_by(async { started(Arc::default(), &InMemoryBroker::new()).await }).await;
    assert!(said.starts_with("tests/test_host.rs:"), "{said}");
    let why = "a test host needs a paused clock, or its retries would take real time";
    assert!(said.ends_with(&format!("{why}: let the test say `#[tokio::test(start_paused = true)]`")), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_runtime_of_several_threads_is_refused() {
    let said = said_by(async { started(Arc::default(), &InMemoryBroker::new()).await }).await;
    assert!(said.contains("a test host needs a runtime of one thread"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_start_is_told_with_its_report() {
    let said = said_by(async {
        let broker = InMemoryBroker::new();
        TestHost::new(program(Arc::default(), &broker), broker.clone()).endpoint(billing(broker)).start().await
    });
    let said = said.await;
    assert!(said.contains("the test host does not start: `endpoints` cannot start"), "{said}");
    assert!(said.contains("no endpoint runs `Thank`"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_open_is_told() {
    let said = said_by(async {
        let broker = InMemoryBroker::new();
        broker.fail_openings(1_000);
        started(Arc::default(), &broker).await
    });
    let said = said.await;
    assert!(said.contains("did not open within 60s of the clock") && said.contains("fail the opening"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn another_broker_is_refused() {
    let said = said_by(async {
        let (broker, other) = (InMemoryBroker::new(), InMemoryBroker::new());
        let host = TestHost::new(program(Arc::default(), &broker), broker.clone());
        host.endpoint(billing(other)).endpoint(mailing(broker)).start().await
    });
    let said = said.await;
    assert!(said.contains("endpoint `billing` reads from another broker than the test publishes to"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_mediator_over_another_broker_is_refused() {
    for wrapped in [false, true] {
        let said = said_by(async move {
            let (broker, other) = (InMemoryBroker::new(), InMemoryBroker::new());
            let builder = Mediator::builder().handlers(handlers![Thank]);
            let policy = RetryPolicy::new();
            let builder = match wrapped {
                true => builder.broker(Arc::new(RetryingBroker::new(other, policy).unwrap())),
                false => builder.broker(other),
            };
            TestHost::new(builder.build().unwrap(), broker.clone()).endpoint(mailing(broker)).start().await
        });
        let said = said.await;
        assert!(said.starts_with("tests/test_host/refused.rs:"), "{said}");
        assert!(said.contains("the mediator publishes to another broker than the endpoints read from"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_refuses_was_not_published() {
    let broker = InMemoryBroker::new();
    let test = started(Arc::default(), &broker).await;
    broker.refuse(PublishErrorKind::Fatal);
    let said = said_by(async move { test.publish(order(1)).await }).await;
    assert!(said.contains("`OrderPlaced` was not published: ") && said.contains("is set to refuse"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_stopped_is_not_waited_for() {
    let broker = InMemoryBroker::new();
    let mut test = started(Arc::default(), &broker).await;
    test.stop().await;
    let said = said_by(async move { test.settle().await }).await;
    assert!(said.ends_with("the test host was stopped"), "{said}");
}
