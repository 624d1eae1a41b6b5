//! What a failed assertion says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diator::endpoint::{Endpoint, ErrorPolicy, OnError};
use diator::prelude::*;
use diator_testkit::{RunningTestHost, TestHost};

use super::{Bank, BankError, Conduct, NobodyReads, OrderPlaced, TEN_MINUTES, mailing, order, program, said, started};

#[tokio::test(start_paused = true)]
async fn a_failed_assertion_shows_all_that_was_handled() {
    let broker = InMemoryBroker::new();
    let test = started(Bank::new(2, [Conduct::Busy]), &broker).await;
    test.publish(order(2)).await;
    test.publish(OrderPlaced { order_id: 3, cents: -1 }).await;
    test.publish(NobodyReads).await;
    test.settle().await;
    let failed = said(|| test.handled::<OrderPlaced>().by("billing.charge").failed_with("the bank is busy").times(2));
    let report = r#"

handled:
        time  message          handler         attempt  then          outcome
>    0.001 s  1. OrderPlaced   billing.charge        1  later in 10s  failed: the bank is busy
     0.001 s  2. OrderPlaced   billing.charge        1  dead letter   failed: -1 cents cannot be charged
    10.001 s  1. OrderPlaced   billing.charge        2  acked         succeeded
    10.001 s  4. OrderCharged  mailing.thank         1  acked         succeeded
published:
  1. OrderPlaced {"cents":100,"order_id":2}, topic `orders`
  2. OrderPlaced {"cents":-1,"order_id":3}, topic `orders`
  3. NobodyReads {}, topic `nobody`   no handler got it
  4. OrderCharged {"order_id":2}, topic `bills`
dead letters:
  2. OrderPlaced at `billing`: billing.charge: -1 cents cannot be charged"#;
    let asked = "expected 2 attempts to handle `OrderPlaced` by `billing.charge` that failed with `the bank is busy`";
    assert_eq!(failed, format!("{asked}, found 1{report}"));

    let asked = said(|| test.handled::<OrderPlaced>().on(|order| order.order_id == 2).succeeded().never());
    let expected = "expected no attempt to handle `OrderPlaced` on the chosen events that succeeded, found 1\n\n";
    assert!(asked.starts_with(expected), "{asked}");
    let report = report.replace("\n> ", "\n  ");
    let asked = said(|| test.dead_letters::<OrderPlaced>().of("billing").because("busy").once());
    let expected = "expected 1 dead letter of `OrderPlaced` at `billing` because of `busy`, found 0";
    assert_eq!(asked, format!("{expected}{report}"));
    assert_eq!(said(|| test.assert_no_dead_letters()), format!("expected no dead letter, found 1{report}"));
    assert_eq!(format!("\n{test}"), report);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_refused() {
    let broker = InMemoryBroker::new();
    let test = started(Arc::default(), &broker).await;
    assert_eq!(
        said(|| test.handled::<OrderPlaced>().by("billing.chrage").never()),
        r#"no handler of `OrderPlaced` has the id `billing.chrage`; there are ["billing.charge"]"#
    );
    assert_eq!(
        said(|| test.dead_letters::<OrderPlaced>().of("biling").never()),
        r#"no endpoint is `biling`; there are ["billing", "mailing"]"#
    );
    assert_eq!(
        said(|| test.handled::<NobodyReads>().never()),
        "no endpoint of the test host handles `NobodyReads`: add the endpoint that does; what was published is the broker's to assert"
    );
    assert_eq!(
        said(|| test.handled::<OrderPlaced>().once()),
        "expected 1 attempt to handle `OrderPlaced`, found 0\n\nnothing was handled\nnothing was published\nno dead letters"
    );
}

/// What the table says that the endpoint decided, attempt by attempt.
fn decided(test: &RunningTestHost) -> Vec<String> {
    let table = test.to_string();
    let lines = table.lines().skip_while(|line| *line != "handled:").skip(1);
    let lines: Vec<_> = lines.take_while(|line| !line.ends_with(':')).collect();
    let (heading, lines) = lines.split_first().expect("something was handled");
    let (then, outcome) = (heading.find("then").unwrap(), heading.find("outcome").unwrap());
    lines.iter().map(|line| line[then..outcome].trim().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_endpoint_decided_is_shown_beside_each_attempt() {
    let broker = InMemoryBroker::new();
    let conducts = [Conduct::Closed, Conduct::Panic, Conduct::Busy, Conduct::Hang];
    let test = started(Bank::new(2, conducts), &broker).await;
    test.publish(order(2)).await;
    test.advance(Duration::from_secs(700)).await;
    assert_eq!(decided(&test), ["paused for 60s", "later in 10s", "later in 600s", ""]);

    // Beside each other: a rule that finds its error, and one that does not.
    let broker = InMemoryBroker::new();
    let policy = ErrorPolicy::new().immediately(1).when::<fmt::Error>(|_| OnError::Pause(TEN_MINUTES));
    let policy = policy.when::<BankError>(|error| match error {
        BankError::Closed => OnError::Again(Duration::from_secs(5)),
        _ => OnError::Retry,
    });
    let endpoint = Endpoint::new("billing", broker.clone()).topics(["orders"]).errors(policy);
    let bank = Bank::new(2, [Conduct::Closed, Conduct::Busy]);
    let host = TestHost::new(program(bank, &broker), broker.clone()).endpoint(endpoint);
    let test = host.endpoint(mailing(broker.clone())).start().await;
    test.publish(order(2)).await;
    test.settle().await;
    assert_eq!(decided(&test), ["again in 5s, uncounted", "again", "acked", "acked"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_another_one_is_told() {
    let broker = InMemoryBroker::new();
    let test = started(Bank::new(2, [Conduct::Busy]), &broker).await;
    test.publish(order(2)).await;
    test.publish(order(2)).await;
    test.advance(Duration::from_secs(1)).await;
    let expected = r#"  2. OrderPlaced {"cents":100,"order_id":2}, topic `orders`   waits for `billing`"#;
    assert!(test.to_string().contains(expected), "{test}");
}

#[tokio::test(start_paused = true)]
async fn a_long_report_is_shortened() {
    let broker = InMemoryBroker::new();
    let test = started(Arc::default(), &broker).await;
    for order_id in 0..100 {
        test.publish(order(order_id)).await;
    }
    test.settle().await;
    let report = test.to_string();
    assert_eq!(report.matches("  … 140 more …").count(), 2, "{report}");
    assert!(report.lines().count() < 130 && report.contains("200. OrderCharged"), "{report}");
}
