//! What is counted of messages, through the `metrics` facade.

#[path = "metrics/endpoints.rs"]
mod endpoints;

use std::future::Future;

use diator::broker::PublishErrorKind;
use diator::metrics::{MetricsBroker, MetricsMiddleware, count_emitted, count_undelivered};
use diator::middleware::{Answered, Call, Middleware, Next};
use diator::prelude::*;
use metrics::{SharedString, Unit};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use metrics_util::{CompositeKey, MetricKind};
use serde::Serialize;

/// What the handler of a command does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Succeed,
    Fail,
    Panic,
    Hang,
    Happen(bool),
    Announce(usize),
}

#[derive(Debug, Command)]
struct Do(Act);

#[derive(Debug, Command)]
struct DoTwice(Act);

#[derive(Debug, DomainEvent)]
struct Happened(bool);

#[derive(Debug, Serialize, NotificationEvent)]
#[event(name = "things.announced")]
struct Announced;

#[request_handler(Do)]
struct DoHandler;

impl RequestHandler<Do> for DoHandler {
    async fn handle(&self, command: Do, cx: &mut RequestContext<'_, Do>) -> Result<(), BoxError> {
        match command.0 {
            Act::Succeed => {}
            Act::Fail => return Err("it fails".into()),
            Act::Panic => panic!("it panics"),
            Act::Hang => std::future::pending().await,
            Act::Happen(well) => cx.emit(Happened(well)),
            Act::Announce(times) => (0..times).for_each(|_| cx.emit(Announced)),
        }
        Ok(())
    }
}

#[request_handler(DoTwice)]
struct DoTwiceHandler;

impl RequestHandler<DoTwice> for DoTwiceHandler {
    async fn handle(&self, command: DoTwice, cx: &mut RequestContext<'_, DoTwice>) -> Result<(), BoxError> {
        cx.send(Do(command.0)).await?;
        Ok(cx.send(Do(command.0)).await?)
    }
}

#[event_handler(Happened)]
struct React;

impl EventHandler<Happened> for React {
    async fn handle(&self, event: &Happened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        event.0.then_some(()).ok_or_else(|| "it went badly".into())
    }
}

#[event_handler(Happened, after_commit)]
struct ReactLater;

impl EventHandler<Happened> for ReactLater {
    async fn handle(&self, _: &Happened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Refuses each command that is to succeed.
struct Strict;

#[diator::async_trait]
impl Middleware for Strict {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        match call.message::<Do>() {
            Some(Do(Act::Succeed)) => call.reject("not today"),
            _ => next.run(call).await,
        }
    }
}

/// What a recorder has of each metric: its key, its description, its value.
type Snapshot = Vec<(CompositeKey, Option<Unit>, Option<SharedString>, DebugValue)>;

/// What was recorded of one metric: its labels and the value, in order.
fn recorded(snapshot: &Snapshot, kind: MetricKind, name: &str) -> Vec<String> {
    let of_name = snapshot.iter().filter(|(key, ..)| key.kind() == kind && key.key().name() == name);
    let mut lines: Vec<_> = of_name
        .map(|(key, _, _, value)| {
            let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
            let value = match value {
                DebugValue::Counter(count) => count.to_string(),
                DebugValue::Gauge(value) => value.to_string(),
                DebugValue::Histogram(values) => {
                    assert!(values.iter().all(|seconds| (0.0..60.0).contains(&seconds.0)), "{values:?}");
                    values.len().to_string()
                }
            };
            format!("{} {value}", labels.join(" "))
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// Runs a program with these middlewares and a recorder of its own, and gives what it recorded.
fn record<F: Future>(
    build: impl FnOnce(diator::MediatorBuilder) -> diator::MediatorBuilder,
    act: impl FnOnce(Mediator, InMemoryBroker) -> F,
) -> Snapshot {
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be built");
    metrics::with_local_recorder(&recorder, || {
        let broker = InMemoryBroker::new();
        let builder =
            Mediator::builder().handlers(handlers![DoHandler, DoTwiceHandler, RefuseHandler, React, ReactLater]);
        let builder = builder.middleware(MetricsMiddleware::new()).broker(MetricsBroker::new(broker.clone()));
        let builder = builder.on_emitted(count_emitted);
        runtime.block_on(act(build(builder).build().expect("it is complete"), broker));
    });
    recorder.snapshotter().snapshot().into_vec()
}

fn messages(snapshot: &Snapshot) -> Vec<String> {
    recorded(snapshot, MetricKind::Counter, "diator_messages_total")
}

#[test]
fn every_message_is_counted_by_outcome() {
    let snapshot = record(
        |builder| builder,
        async |mediator, _| {
            for act in [Act::Succeed, Act::Succeed, Act::Fail] {
                assert_eq!(mediator.send(Do(act)).await.is_ok(), act == Act::Succeed);
            }
            mediator.send(DoTwice(Act::Succeed)).await.expect("both succeed");
        },
    );
    assert_eq!(
        messages(&snapshot),
        [
            "command Do metrics::DoHandler handler 1",
            "command Do metrics::DoHandler ok 4",
            "command DoTwice metrics::DoTwiceHandler ok 1",
        ]
    );
}

#[derive(Debug, Command)]
#[request(error = u32, expected = |error| *error == 409)]
struct Refuse(u32);

#[request_handler(Refuse)]
struct RefuseHandler;

impl RequestHandler<Refuse> for RefuseHandler {
    async fn handle(&self, command: Refuse, _: &mut RequestContext<'_, Refuse>) -> Result<(), u32> {
        Err(command.0)
    }
}

#[test]
fn an_error_that_is_expected_is_counted_apart() {
    let snapshot = record(
        |builder| builder,
        async |mediator, _| {
            for error in [409, 500] {
                mediator.send(Refuse(error)).await.expect_err("it is refused");
            }
        },
    );
    let handler = "command Refuse metrics::RefuseHandler";
    assert_eq!(messages(&snapshot), [format!("{handler} expected 1"), format!("{handler} handler 1")]);
}

#[test]
fn each_handler_of_an_event_is_counted() {
    let snapshot = record(
        |builder| builder,
        async |mediator, _| {
            mediator.send(Do(Act::Happen(true))).await.expect("it goes well");
            mediator.send(Do(Act::Happen(false))).await.expect_err("it goes badly");
        },
    );
    assert_eq!(
        messages(&snapshot),
        [
            "command Do metrics::DoHandler event 1",
            "command Do metrics::DoHandler ok 1",
            "domain_event Happened metrics::React handler 1",
            "domain_event Happened metrics::React ok 1",
            "domain_event Happened metrics::ReactLater ok 1",
        ]
    );
}

#[derive(Debug, DomainEvent)]
struct Ignored;

#[test]
fn each_event_is_counted_once_whoever_handles_it() {
    let snapshot = record(
        |builder| builder,
        async |mediator, _| {
            mediator.send(Do(Act::Happen(true))).await.expect("it goes well");
            mediator.send(DoTwice(Act::Announce(2))).await.expect("it goes well");
            mediator.emit(Ignored).await.expect("nobody minds");
            mediator.emit(Happened(true)).await.expect("it goes well");
            mediator.send(Do(Act::Fail)).await.expect_err("it fails");
        },
    );
    let emitted = recorded(&snapshot, MetricKind::Counter, "diator_emitted_events_total");
    assert_eq!(emitted, ["domain_event Happened 2", "domain_event Ignored 1", "notification_event things.announced 4"]);
}

#[test]
fn what_comes_to_no_answer_is_counted() {
    let snapshot = record(
        |builder| builder,
        async |mediator, _| {
            let panicking = mediator.clone();
            tokio::spawn(async move { panicking.send(Do(Act::Panic)).await }).await.expect_err("it panics");
            tokio::select! {
                biased;
                _ = mediator.send(Do(Act::Hang)) => panic!("it hangs"),
                () = tokio::task::yield_now() => {}
            }
            drop(mediator.send(Do(Act::Hang))); // Never polled: it never began.
        },
    );
    let expected = ["command Do metrics::DoHandler cancelled 1", "command Do metrics::DoHandler panicked 1"];
    assert_eq!(messages(&snapshot), expected);
}

#[test]
fn what_another_middleware_refuses_is_counted() {
    let snapshot = record(
        |builder| builder.middleware(Strict),
        async |mediator, _| mediator.send(Do(Act::Succeed)).await.expect_err("it is refused"),
    );
    assert_eq!(messages(&snapshot), ["command Do metrics::DoHandler rejected 1"]);
}

#[test]
fn durations_are_measured_in_seconds() {
    let snapshot = record(
        |builder| builder,
        async |mediator, _| {
            mediator.send(Do(Act::Fail)).await.expect_err("it fails");
            mediator.send(Do(Act::Announce(1))).await.expect("it succeeds");
        },
    );
    let durations = recorded(&snapshot, MetricKind::Histogram, "diator_message_duration_seconds");
    assert_eq!(durations, ["command Do metrics::DoHandler 2"]);
    assert_eq!(recorded(&snapshot, MetricKind::Histogram, "diator_publish_duration_seconds"), [" 1"]);
}

#[test]
fn what_is_published_is_counted_and_what_is_not() {
    let kinds =
        [PublishErrorKind::Transient { retry_after: None }, PublishErrorKind::Ambiguous, PublishErrorKind::Fatal];
    let snapshot = record(
        // The hook hides from the sender what failed, and not from the broker's metrics.
        |builder| builder.on_undelivered(|undelivered| count_undelivered(&undelivered)),
        async |mediator, broker| {
            for kind in kinds {
                broker.refuse_next(1, kind);
                mediator.send(Do(Act::Announce(3))).await.expect("the hook takes what was not published");
            }
            mediator.send(Do(Act::Announce(1))).await.expect("it succeeds");
        },
    );
    let published = recorded(&snapshot, MetricKind::Counter, "diator_published_messages_total");
    assert_eq!(
        published,
        [
            "things.announced ambiguous 1",
            "things.announced fatal 1",
            "things.announced ok 7",
            "things.announced transient 1",
        ]
    );
    let undelivered = recorded(&snapshot, MetricKind::Counter, "diator_undelivered_total");
    assert_eq!(undelivered, ["things.announced ambiguous 1", "things.announced unsent 2"]);
    assert_eq!(recorded(&snapshot, MetricKind::Histogram, "diator_publish_duration_seconds"), [" 4"]);
    assert_eq!(messages(&snapshot), ["command Do metrics::DoHandler ok 4"]);
}

#[test]
fn without_a_hook_the_message_is_undelivered() {
    let snapshot = record(
        |builder| builder,
        async |mediator, broker| {
            broker.refuse(PublishErrorKind::Fatal);
            mediator.send(Do(Act::Announce(1))).await.expect_err("nobody takes it");
        },
    );
    assert_eq!(messages(&snapshot), ["command Do metrics::DoHandler undelivered 1"]);
}

#[test]
fn every_metric_is_described() {
    let snapshot = record(
        |builder| builder.on_undelivered(|undelivered| count_undelivered(&undelivered)),
        async |mediator, broker| {
            broker.refuse_next(1, PublishErrorKind::Fatal);
            mediator.send(Do(Act::Announce(1))).await.expect("the hook takes it");
        },
    );
    let mut described = Vec::new();
    for (key, unit, description, _) in snapshot {
        assert!(description.is_some_and(|text| text.ends_with('.')), "{key:?}");
        described.push(format!("{} {:?}", key.key().name(), unit.expect("it has a unit")));
    }
    described.sort_unstable();
    assert_eq!(
        described,
        [
            "diator_emitted_events_total Count",
            "diator_message_duration_seconds Seconds",
            "diator_messages_total Count",
            "diator_publish_duration_seconds Seconds",
            "diator_published_messages_total Count",
            "diator_undelivered_total Count",
        ]
    );
}
