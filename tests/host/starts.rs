use std::error::Error as _;
use std::future::{pending, ready};
use std::time::Duration;

use diator::BoxError;
use diator::host::{ChildState, HostError};
use diator::relay::Relay;
use tokio::time::{Instant, sleep, timeout};

use super::world::{Notes, Trouble, TroubledStore, Work, Worked, World};

#[tokio::test(start_paused = true)]
async fn nothing_starts_if_a_child_cannot_work() {
    let (world, notes) = (World::new(), Notes::default());
    let store = TroubledStore::new(&world.outbox);
    *store.check.lock().unwrap() = Trouble::Fails;
    let front = notes.clone();
    let host = world.host().relay(Relay::new(store)).front(move |_| {
        front.note("the front has started");
        pending::<Result<(), BoxError>>()
    });
    let error = host.run_until(pending::<()>()).await.unwrap_err();
    assert_eq!(error.to_string(), "`relay` cannot start");
    assert_eq!(error.source().unwrap().to_string(), "the tables are missing; run `schema apply`");
    assert_eq!(notes.all(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn settings_that_contradict_each_other_are_told_before_anything_starts() {
    let world = World::new();
    let error = world.host().relay(world.relay().batch(1).attempts(0)).run_until(pending::<()>()).await.unwrap_err();
    let HostError::Start { child: "relay", source } = error else { panic!("{error}") };
    let text = source.to_string();
    assert!(text.contains("not 1") && text.contains("at least 1"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_stop_does_not_wait_for_a_database_that_hangs() {
    let world = World::new();
    let store = TroubledStore::new(&world.outbox);
    *store.check.lock().unwrap() = Trouble::Hangs;
    let host = world.host().relay(Relay::new(store));
    timeout(Duration::from_secs(60), host.run_until(sleep(Duration::from_secs(1)))).await.unwrap().unwrap();
    assert!(world.mediator.send(Work { takes: Duration::ZERO }).await.is_err(), "it takes no messages any more");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_does_not_hold_up_the_fronts_for_long() {
    let (world, notes) = (World::new(), Notes::default());
    let store = TroubledStore::new(&world.outbox);
    *store.check.lock().unwrap() = Trouble::Hangs;
    let front = notes.clone();
    let host = world.host().relay(Relay::new(store)).deadline(Duration::ZERO).front(move |stop| async move {
        front.note("the front has started");
        stop.await;
        Ok::<_, BoxError>(())
    });
    let _late = host.run_until(sleep(Duration::from_secs(6))).await;
    assert_eq!(notes.all(), ["the front has started"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_panics_is_started_again_later_each_time() {
    let world = World::new();
    let store = TroubledStore::new(&world.outbox);
    *store.lease.lock().unwrap() = Trouble::Panics;
    let host = world.host().relay(Relay::new(store.clone()));
    let monitor = host.monitor();
    let running = tokio::spawn(host.run_until(pending::<()>()));
    sleep(Duration::from_millis(50)).await;
    let mut restarts = Vec::new();
    for _ in 0..6 {
        let child = monitor.health().await.children["relay"].clone();
        assert_eq!(
            (child.state, child.error.as_deref()),
            (ChildState::Restarting, Some("it panicked: the store panics"))
        );
        restarts.push(child.restarts);
        // 100, 200, 400 ms and so on: each of them once.
        sleep(Duration::from_millis(100 << (restarts.len() - 1))).await;
    }
    assert_eq!(restarts, [1, 2, 3, 4, 5, 6]);
    assert!(!monitor.health().await.ready);

    *store.lease.lock().unwrap() = Trouble::None;
    world.mediator.emit(Worked).await.unwrap();
    let begun = Instant::now();
    world.broker.published_at_least(1).await;
    assert!(begun.elapsed() < Duration::from_secs(31));
    sleep(Duration::from_millis(10)).await;
    let health = monitor.health().await;
    assert!(health.ready, "{health:?}");
    assert_eq!(
        health.children["relay"].error.as_deref(),
        Some("it panicked: the store panics"),
        "why it failed at last"
    );
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_child_that_has_worked_meanwhile_is_started_again_soon() {
    let world = World::new();
    let store = TroubledStore::new(&world.outbox);
    let trouble = |trouble| *store.lease.lock().unwrap() = trouble;
    trouble(Trouble::Panics);
    let host = world.host().relay(Relay::new(store.clone()));
    let running = tokio::spawn(host.run_until(pending::<()>()));
    // The next wait would be 12.8 s.
    sleep(Duration::from_secs(10)).await;
    trouble(Trouble::None);
    sleep(Duration::from_secs(20)).await;
    trouble(Trouble::Panics);
    world.mediator.emit(Worked).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    trouble(Trouble::None);
    let begun = Instant::now();
    world.broker.published_at_least(1).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_relay_without_a_broker_of_its_own_has_that_of_the_mediator() {
    let world = World::new();
    world.mediator.emit(Worked).await.unwrap();
    world.host().relay(world.relay()).run_until(ready(())).await.unwrap();
    assert_eq!(world.broker.published().len(), 1, "it publishes what is there also if it is told to stop at once");
}
