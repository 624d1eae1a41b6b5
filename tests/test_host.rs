//! The host for tests of programs: what it sees, what it waits for, and what it says.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::Inbox;
use diator::broker::{PublishErrorKind, RetryPolicy, RetryingBroker};
use diator::deliveries::DeliveryFilter;
use diator::endpoint::{Endpoint, ErrorPolicy, OnError, Order};
use diator::inbox::InMemoryInbox;
use diator::outbox::InMemoryOutbox;
use diator::prelude::*;
use diator::relay::Relay;
use diator::subscription::Subscription;
use diator_testkit::{AttemptOutcome, RunningTestHost, TestHost};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

const TEN_MINUTES: Duration = Duration::from_secs(600);

// --- A program that consumes. ---------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = order_id)]
struct OrderPlaced {
    order_id: u64,
    cents: i64,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "bills", key = order_id)]
struct OrderCharged {
    order_id: u64,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "nobody")]
struct NobodyReads;

#[derive(Debug)]
enum BankError {
    Busy,
    Closed,
    Amount(i64),
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the bank is busy"),
            Self::Closed => f.write_str("the bank is closed"),
            Self::Amount(cents) => write!(f, "{cents} cents cannot be charged"),
        }
    }
}

impl Error for BankError {}

#[derive(Clone, Copy)]
enum Conduct {
    Busy,
    Closed,
    Panic,
    Hang,
    Take(Duration),
}

/// What the bank does with an order, one time after the other; then it charges it.
#[derive(Default)]
struct Bank(Mutex<HashMap<u64, Vec<Conduct>>>);

impl Bank {
    fn new<const N: usize>(order_id: u64, conducts: [Conduct; N]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(HashMap::from([(order_id, conducts.into())]))))
    }

    async fn charge(&self, order_id: u64, cents: i64) -> Result<(), BankError> {
        let conduct =
            self.0.lock().unwrap().get_mut(&order_id).filter(|left| !left.is_empty()).map(|left| left.remove(0));
        match conduct {
            Some(Conduct::Busy) => Err(BankError::Busy),
            Some(Conduct::Closed) => Err(BankError::Closed),
            Some(Conduct::Panic) => panic!("the bank falls"),
            Some(Conduct::Hang) => std::future::pending().await,
            Some(Conduct::Take(time)) => {
                sleep(time).await;
                Ok(())
            }
            None if cents < 0 => Err(BankError::Amount(cents)),
            None => Ok(()),
        }
    }
}

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge {
    bank: Arc<Bank>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.bank.charge(order.order_id, order.cents).await?;
        cx.emit(OrderCharged { order_id: order.order_id });
        Ok(())
    }
}

#[event_handler(OrderCharged, id = "mailing.thank")]
struct Thank;

impl EventHandler<OrderCharged> for Thank {
    async fn handle(&self, _: &OrderCharged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn services(bank: Arc<Bank>) -> Services {
    Services::new().singleton::<Bank>(bank)
}

fn program(bank: Arc<Bank>, broker: &InMemoryBroker) -> Mediator {
    let handlers = handlers![Charge, Thank];
    Mediator::builder().handlers(handlers).container(services(bank)).broker(broker.clone()).build().unwrap()
}

fn billing(subscription: impl Subscription) -> Endpoint {
    let policy = ErrorPolicy::new().immediately(0).later([Duration::from_secs(10), TEN_MINUTES]);
    let policy = policy.when::<BankError>(|error| match error {
        BankError::Busy => OnError::Retry,
        BankError::Closed => OnError::Pause(Duration::from_secs(60)),
        BankError::Amount(_) => OnError::DeadLetter,
    });
    Endpoint::new("billing", subscription).topics(["orders"]).order(Order::PerKey).errors(policy)
}

fn mailing(subscription: impl Subscription) -> Endpoint {
    Endpoint::new("mailing", subscription).topics(["bills"])
}

async fn started(bank: Arc<Bank>, broker: &InMemoryBroker) -> RunningTestHost {
    let host = TestHost::new(program(bank, broker), broker.clone());
    host.endpoint(billing(broker.clone())).endpoint(mailing(broker.clone())).start().await
}

fn order(order_id: u64) -> OrderPlaced {
    OrderPlaced { order_id, cents: 100 }
}

/// What a failed assertion says.
fn said(assert: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assert)).expect_err("it was to fail");
    *panic.downcast::<String>().expect("it says something")
}

/// What a future says that panics, in a task of its own.
async fn said_by(future: impl Future + Send + 'static) -> String {
    let ended = tokio::spawn(async move { _ = future.await }).await;
    *ended.expect_err("it was to fail").into_panic().downcast::<String>().expect("it says something")
}

// --- What it sees. --------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn retries_of_minutes_take_no_time() {
    let (real, began, broker) = (std::time::Instant::now(), Instant::now(), InMemoryBroker::new());
    let test = started(Bank::new(2, [Conduct::Busy, Conduct::Busy]), &broker).await;
    test.publish(order(1)).await;
    test.publish(order(2)).await;
    test.settle().await;
    test.handled::<OrderPlaced>().times(4);
    test.handled::<OrderPlaced>().by("billing.charge").on(|order| order.order_id == 1).once();
    let of_two = || test.handled::<OrderPlaced>().on(|order| order.order_id == 2);
    of_two().times(3);
    of_two().failed().times(2);
    of_two().failed_with("busy").times(2);
    of_two().failed_with("closed").never();
    of_two().succeeded().once();
    test.handled::<OrderCharged>().by("mailing.thank").succeeded().times(2);
    test.dead_letters::<OrderPlaced>().never();
    test.assert_no_dead_letters();

    let attempts = of_two().attempts();
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.at.as_secs())).collect();
    assert_eq!(seen, [(1, 0), (2, 10), (3, 610)]);
    assert_eq!(attempts[0].outcome, AttemptOutcome::Failed("the bank is busy".to_owned()));
    // It ends when the last one is done, and not at the next turn of something else.
    assert!(began.elapsed() < Duration::from_millis(610_100), "{:?}", began.elapsed());
    assert!(real.elapsed() < Duration::from_secs(5), "{:?}", real.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_clock_stops_where_the_test_wants_it() {
    let broker = InMemoryBroker::new();
    let test = started(Bank::new(2, [Conduct::Busy, Conduct::Busy]), &broker).await;
    test.publish(order(2)).await;
    for (seconds, attempts) in [(0, 1), (9, 1), (1, 2), (599, 2), (1, 3)] {
        test.advance(Duration::from_secs(seconds)).await;
        test.handled::<OrderPlaced>().times(attempts);
    }
    test.handled::<OrderPlaced>().succeeded().once();
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_told_by_their_reason() {
    let broker = InMemoryBroker::new();
    let test = started(Arc::default(), &broker).await;
    test.publish(order(1)).await;
    test.publish(OrderPlaced { order_id: 3, cents: -1 }).await;
    test.settle().await;
    test.dead_letters::<OrderPlaced>().once();
    let dead = || test.dead_letters::<OrderPlaced>().of("billing").because("-1 cents cannot be charged");
    dead().on(|order| order.order_id == 3).once();
    dead().on(|order| order.order_id == 1).never();
    test.dead_letters::<OrderPlaced>().of("mailing").never();
    test.dead_letters::<OrderCharged>().never();
}

#[tokio::test(start_paused = true)]
async fn panics_time_outs_and_cuts_are_outcomes() {
    let broker = InMemoryBroker::new();
    let conducts = [Conduct::Panic, Conduct::Hang, Conduct::Take(Duration::from_secs(200))];
    let mut test = started(Bank::new(7, conducts), &broker).await;
    test.publish(order(7)).await;
    test.advance(Duration::from_secs(1_000)).await;
    let outcomes: Vec<_> =
        test.handled::<OrderPlaced>().attempts().into_iter().map(|attempt| attempt.outcome).collect();
    let [AttemptOutcome::Failed(panic), AttemptOutcome::Failed(late), AttemptOutcome::Running] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert!(panic.contains("the bank falls") && late.contains("took longer than 300s"), "{panic} {late}");
    test.stop().await;
    let last = test.handled::<OrderPlaced>().attempts().pop().unwrap();
    assert_eq!((last.number, last.outcome), (3, AttemptOutcome::CutOff));
}

#[tokio::test(start_paused = true)]
async fn the_next_host_goes_on_where_one_stopped_or_crashed() {
    for crash in [false, true] {
        let broker = InMemoryBroker::new();
        let mut first = started(Bank::new(1, [Conduct::Hang]), &broker).await;
        first.publish(order(1)).await;
        first.publish(order(2)).await;
        first.advance(Duration::from_secs(1)).await;
        first.handled::<OrderPlaced>().succeeded().once();
        if crash {
            drop(first);
        } else {
            first.stop().await;
        }
        let second = started(Arc::default(), &broker).await;
        second.settle().await;
        second.handled::<OrderPlaced>().once();
        second.handled::<OrderPlaced>().on(|order| order.order_id == 1).succeeded().once();
    }
}

// --- What it waits for. ---------------------------------------------------------------------------

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
    assert!(place.starts_with("tests/test_host.rs:"), "{place}");
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
    assert!(said.contains("test_host.rs:") && said.ends_with(expected), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_cannot_publish_is_named() {
    let broker = InMemoryBroker::new();
    let (mediator, test) = with_outbox(&broker).await;
    broker.refuse(PublishErrorKind::Transient { retry_after: None });
    mediator.emit(order(1)).await.unwrap();
    let said = said_by(async move { test.settle_within(Duration::from_secs(60)).await }).await;
    let expected = ["the relay has not published a message for 60.", "was told to refuse", "nothing was handled"];
    assert!(expected.iter().all(|text| said.contains(text)), "{said}");
}

// --- What it says. --------------------------------------------------------------------------------

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

// --- What it refuses. -----------------------------------------------------------------------------

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
        assert!(said.starts_with("tests/test_host.rs:"), "{said}");
        assert!(said.contains("the mediator publishes to another broker than the endpoints read from"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_refuses_was_not_published() {
    let broker = InMemoryBroker::new();
    let test = started(Arc::default(), &broker).await;
    broker.refuse(PublishErrorKind::Fatal);
    let said = said_by(async move { test.publish(order(1)).await }).await;
    assert!(said.contains("`OrderPlaced` was not published: ") && said.contains("told to refuse"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_stopped_is_not_waited_for() {
    let broker = InMemoryBroker::new();
    let mut test = started(Arc::default(), &broker).await;
    test.stop().await;
    let said = said_by(async move { test.settle().await }).await;
    assert!(said.ends_with("the test host was stopped"), "{said}");
}

// --- What the endpoints keep in a delivery store. --------------------------------------------------

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
