use std::future::pending;
use std::time::Duration;

use diator::Inbox;
use diator::broker::PublishErrorKind;
use diator::deliveries::{DeadReason, NewDelivery, NewState};
use diator::endpoint::Endpoint;
use diator::host::Host;
use diator::inbox::InMemoryInbox;
use diator::prelude::*;
use diator::relay::Relay;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::world::{Trouble, TroubledStore, Worked, World};

#[tokio::test(start_paused = true)]
async fn its_json_is_for_pages() {
    let world = World::new();
    let host = world.host().relay(world.relay());
    let monitor = host.monitor();
    let before = serde_json::to_value(monitor.health().await).unwrap();
    assert_eq!((&before["ready"], &before["running"], &before["children"]), (&json!(false), &json!(false), &json!({})));
    world.mediator.emit(Worked).await.unwrap();
    let running = tokio::spawn(host.run_until(sleep(Duration::from_secs(60))));
    world.broker.published_at_least(1).await;
    sleep(Duration::from_millis(100)).await;
    let mut health = serde_json::to_value(monitor.health().await).unwrap();
    let last_turn = health["relay"]["last_turn_seconds"].take();
    assert!(last_turn.as_f64().is_some_and(|seconds| seconds < 1.0), "{last_turn}");
    let relay = json!({"oldest_seconds": null, "last_turn_seconds": null, "sent": 1, "circuits": [], "error": null});
    let child = json!({"state": "running", "restarts": 0, "error": null});
    assert_eq!(
        health,
        json!({"ready": true, "running": true, "children": {"relay": child}, "endpoints": {}, "relay": relay})
    );
    running.await.unwrap().unwrap();
    let after = serde_json::to_value(monitor.health().await).unwrap();
    assert_eq!((&after["ready"], &after["running"]), (&json!(false), &json!(false)));
    assert_eq!(after["children"]["relay"]["state"], json!("ended"));
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_as_long_as_the_oldest_message_is_young() {
    let world = World::new();
    world.broker.refuse(PublishErrorKind::Transient { retry_after: None });
    let host = world.host().relay(world.relay()).ready_below(Duration::from_secs(100));
    let monitor = host.monitor();
    let running = tokio::spawn(host.run_until(pending::<()>()));
    world.mediator.emit(Worked).await.unwrap();
    sleep(Duration::from_secs(90)).await;
    let health = monitor.health().await;
    assert!(health.ready, "an open circuit alone is no reason: {health:?}");
    let circuit = serde_json::to_value(&health.relay.unwrap().circuits[0]).unwrap();
    assert!(circuit["failures"].as_u64() > Some(3) && circuit["error"].is_string(), "{circuit}");
    sleep(Duration::from_secs(11)).await;
    let health = monitor.health().await;
    assert!(!health.ready && health.running, "{health:?}");
    world.broker.accept();
    world.broker.published_at_least(1).await;
    sleep(Duration::from_secs(1)).await;
    assert!(monitor.health().await.ready);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn it_answers_soon_if_the_database_does_not() {
    let world = World::new();
    let store = TroubledStore::new(&world.outbox);
    let host = world.host().relay(Relay::new(store.clone()));
    let monitor = host.monitor();
    let running = tokio::spawn(host.run_until(pending::<()>()));
    sleep(Duration::from_secs(1)).await;
    assert!(monitor.health().await.ready);
    for trouble in [Trouble::Hangs, Trouble::Fails] {
        *store.oldest.lock().unwrap() = trouble;
        let begun = Instant::now();
        let health = monitor.health().await;
        assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
        let relay = health.relay.unwrap();
        assert!(!health.ready && relay.error.is_some() && relay.oldest_seconds.is_none(), "{relay:?}");
    }
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_relay_says_nothing_of_one() {
    let host = World::without_outbox().host();
    let monitor = host.monitor();
    let running = tokio::spawn(host.run_until(pending::<()>()));
    sleep(Duration::from_secs(1)).await;
    let health = serde_json::to_value(monitor.health().await).unwrap();
    assert_eq!(health, json!({"ready": true, "running": true, "children": {}, "endpoints": {}, "relay": Value::Null}));
    running.abort();
    let _aborted = running.await;
    assert!(!monitor.health().await.running, "it is dropped");
}

#[event_handler(Worked, id = "slow.rest")]
struct Rest;

impl EventHandler<Worked> for Rest {
    async fn handle(&self, _: &Worked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        sleep(Duration::from_secs(3_600)).await;
        Ok(())
    }
}

fn kept(number: u128, state: NewState) -> NewDelivery {
    let mut new = NewDelivery::new("slow", "slow.rest", Uuid::from_u128(number), "worked", *b"{}");
    (new.key, new.holds_key, new.state) = (Some("7".into()), true, state);
    new
}

/// The endpoint is busy, so that what is due has to wait.
#[tokio::test(start_paused = true)]
async fn it_is_ready_as_long_as_what_an_endpoint_keeps_is_not_overdue() {
    let (world, inbox) = (World::new(), InMemoryInbox::new());
    let builder = Mediator::builder().handlers(handlers![Rest]).container(world.outbox.services());
    let builder = builder.broker(world.broker.clone()).outbox(world.outbox.clone()).inbox(inbox.clone());
    let endpoint = Endpoint::new("slow", world.broker.clone()).handlers(handlers![Rest]).concurrency(1);
    let endpoint = endpoint.max_handling(Duration::from_secs(7_200)).max_ahead(1);
    let host = Host::new(builder.build().unwrap()).endpoint(endpoint).relay(world.relay());
    let host = host.ready_below(Duration::from_secs(100));
    let (monitor, store) = (host.monitor(), inbox.deliveries().unwrap());
    let running = tokio::spawn(host.run_until(pending::<()>()));
    world.mediator.emit(Worked).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(monitor.health().await.endpoints["slow"].kept.as_ref().map(|kept| kept.waiting), Some(0));

    let reason = DeadReason::new("Handler", "it cannot rest");
    let waiting = NewState::Waiting { after: Duration::ZERO };
    store.put(&[kept(1, NewState::Dead(reason)), kept(2, waiting.clone())]).await.unwrap();
    sleep(Duration::from_secs(110)).await;
    let health = monitor.health().await;
    let slow = health.endpoints["slow"].kept.clone().unwrap();
    assert_eq!((slow.waiting, slow.parked, slow.dead), (1, 1, 1));
    assert!(health.ready && slow.overdue_seconds.is_none(), "what is parked waits for an operator: {health:?}");

    let mut free = [kept(3, waiting.clone()), kept(4, waiting)];
    free.iter_mut().for_each(|free| free.holds_key = false);
    // The endpoint takes the first one in hand, and the other one waits.
    store.put(&free).await.unwrap();
    sleep(Duration::from_secs(90)).await;
    assert!(monitor.health().await.ready);
    sleep(Duration::from_secs(30)).await;
    let health = monitor.health().await;
    assert!(
        !health.ready && health.endpoints["slow"].kept.as_ref().unwrap().overdue_seconds > Some(100.0),
        "{health:?}"
    );
    running.abort();
}
