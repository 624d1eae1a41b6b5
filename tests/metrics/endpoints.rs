//! What an endpoint counts.

use std::time::Duration;

use diator::Inbox;
use diator::broker::MessageType;
use diator::deliveries::{DeadReason, NewDelivery, NewState};
use diator::endpoint::{Endpoint, ErrorPolicy, OnError, Unknown};
use diator::host::Host;
use diator::inbox::InMemoryInbox;
use diator::outbox::InMemoryOutbox;
use diator::prelude::*;
use diator::relay::Relay;
use diator::{MessageBroker, OutboundMessage};
use metrics_util::MetricKind::{Counter, Gauge, Histogram};
use metrics_util::debugging::DebuggingRecorder;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Snapshot, recorded};

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
struct OrderPlaced {
    cents: i64,
}

#[derive(Debug, Serialize, NotificationEvent)]
#[event(topic = "orders", name = "a.stranger's")]
struct Unexpected;

#[event_handler(OrderPlaced, id = "billing.charge")]
struct Charge;

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        match order.cents {
            0 => Err(std::fmt::Error.into()),
            cents if cents < 0 => Err("it cannot be charged".into()),
            _ => Ok(()),
        }
    }
}

#[event_handler(OrderPlaced, id = "billing.mail")]
struct Mail;

impl EventHandler<OrderPlaced> for Mail {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn billing(broker: &InMemoryBroker) -> Endpoint {
    let endpoint = Endpoint::new("billing", broker.clone()).topics(["orders"]);
    endpoint.errors(ErrorPolicy::new().immediately(1)).unknown(Unknown::Ignore)
}

/// Two orders that are charged, the second of them twice, and one that is not; a stranger's message, and one that cannot be read.
fn record(measured: impl FnOnce(Endpoint) -> Endpoint) -> Snapshot {
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be built");
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let broker = InMemoryBroker::new();
            let mediator = Mediator::builder().handlers(handlers![Charge, Mail]).broker(broker.clone()).build();
            let mediator = mediator.expect("it is complete");
            for cents in [1_200, -1, 350] {
                mediator.emit(OrderPlaced { cents }).await.expect("it is published");
            }
            let last = broker.published().pop().expect("it is there");
            broker.publish(&last).await.expect("it is published again");
            mediator.emit(Unexpected).await.expect("it is published");
            broker.publish(&unreadable()).await.expect("it is published");
            let host = Host::new(mediator).endpoint(measured(billing(&broker)));
            host.run_until(broker.all_settled("billing")).await.expect("it ends well");
        });
    });
    recorder.snapshotter().snapshot().into_vec()
}

fn unreadable() -> OutboundMessage {
    let message = OutboundMessage::new(Uuid::nil(), MessageType::Notification, "OrderPlaced", *b"a stranger's");
    message.with_topic("orders")
}

#[test]
fn an_endpoint_is_measured_if_it_is_asked_for() {
    let snapshot = record(Endpoint::metrics);
    let messages = recorded(&snapshot, Counter, "diator_endpoint_messages_total");
    assert_eq!(
        messages,
        ["billing dead 2", "billing duplicate 1", "billing handled 2", "billing ignored 0", "billing unknown 1"]
    );
    assert_eq!(
        recorded(&snapshot, Gauge, "diator_endpoint_in_hand"),
        ["billing held 0", "billing resting 0", "billing running 0", "billing settling 0"]
    );
    assert_eq!(
        recorded(&snapshot, Counter, "diator_endpoint_attempts_total"),
        ["billing billing.charge handler 2", "billing billing.charge ok 2", "billing billing.mail ok 3"]
    );
    let retries = recorded(&snapshot, Counter, "diator_endpoint_retries_total");
    assert_eq!(retries, ["billing billing.charge handler 1"]);
    let dead = recorded(&snapshot, Counter, "diator_endpoint_dead_letters_total");
    assert_eq!(dead, ["billing  Unreadable 1", "billing billing.charge Handler 1"]);
    assert_eq!(recorded(&snapshot, Histogram, "diator_endpoint_queue_duration_seconds"), ["billing 6"]);
    let handling = recorded(&snapshot, Histogram, "diator_endpoint_handling_duration_seconds");
    assert_eq!(handling, ["billing billing.charge 4", "billing billing.mail 3"]);
    for (kind, name) in [
        (Gauge, "diator_endpoint_lag"),
        (Gauge, "diator_endpoint_oldest_seconds"),
        (Gauge, "diator_endpoint_paused"),
        (Gauge, "diator_endpoint_stuck_seconds"),
        (Counter, "diator_endpoint_busy_total"),
        (Counter, "diator_endpoint_locks_lost_total"),
        (Counter, "diator_endpoint_refused_verdicts_total"),
    ] {
        assert_eq!(recorded(&snapshot, kind, name), ["billing 0"], "{name}");
    }
    for (key, unit, description, _) in &snapshot {
        assert!(unit.is_some() && description.as_ref().is_some_and(|text| text.ends_with('.')), "{key:?}");
        assert!(!key.key().labels().any(|label| label.value().contains("stranger")), "{key:?}");
    }
    assert!(record(|endpoint| endpoint).is_empty());
}

#[test]
fn what_no_count_brings_to_an_end_is_measured_by_its_age() {
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let snapshot = metrics::with_local_recorder(&recorder, || {
        runtime.expect("it can be built").block_on(async {
            let broker = InMemoryBroker::new();
            let mediator = Mediator::builder().handlers(handlers![Charge, Mail]).broker(broker.clone()).build();
            let mediator = mediator.expect("it is complete");
            mediator.emit(OrderPlaced { cents: 0 }).await.expect("it is published");
            let policy = ErrorPolicy::new().when::<std::fmt::Error>(|_| OnError::Again(Duration::from_secs(1)));
            let host = Host::new(mediator).endpoint(billing(&broker).errors(policy).metrics());
            let mut snapshot = Vec::new();
            let a_minute = async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                snapshot = recorder.snapshotter().snapshot().into_vec();
            };
            host.run_until(a_minute).await.expect("it ends well");
            snapshot
        })
    });
    let stuck = recorded(&snapshot, Gauge, "diator_endpoint_stuck_seconds");
    let age = |line: &String| line.strip_prefix("billing ").and_then(|age| age.parse().ok());
    let ages: Vec<f64> = stuck.iter().filter_map(age).collect();
    assert!(ages.len() == 1 && ages[0] > 50.0, "{stuck:?}");
}

fn kept(number: u128, state: NewState) -> NewDelivery {
    let mut new = NewDelivery::new("billing", "billing.charge", Uuid::from_u128(number), "orders", *b"{}");
    (new.key, new.holds_key, new.state) = (Some("7".into()), true, state);
    new
}

#[test]
fn what_the_store_keeps_is_measured() {
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be built");
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let (broker, outbox, inbox) = (InMemoryBroker::new(), InMemoryOutbox::new(), InMemoryInbox::new());
            let builder = Mediator::builder().handlers(handlers![Charge, Mail]).container(outbox.services());
            let builder = builder.broker(broker.clone()).outbox(outbox.clone()).inbox(inbox.clone());
            let dead = NewState::Dead(DeadReason::new("Handler", "it cannot be charged"));
            let rows = [kept(1, dead), kept(2, NewState::Waiting { after: Duration::ZERO })];
            inbox.deliveries().expect("it has a store").put(&rows).await.expect("they are kept");
            let host = Host::new(builder.build().expect("it is complete")).relay(Relay::new(outbox));
            let host = host.endpoint(billing(&broker).metrics());
            let monitor = host.monitor();
            let is_asked = async {
                while monitor.health().await.endpoints["billing"].kept.is_none() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            host.run_until(is_asked).await.expect("it ends well");
        });
    });
    let snapshot = recorder.snapshotter().snapshot().into_vec();
    let kept = recorded(&snapshot, Gauge, "diator_endpoint_kept");
    assert_eq!(kept, ["billing dead 1", "billing parked 1", "billing waiting 1"]);
    assert_eq!(recorded(&snapshot, Gauge, "diator_endpoint_overdue_seconds"), ["billing 0"]);
}
