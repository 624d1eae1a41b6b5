//! What a mediator refuses once its shutdown has begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diator::broker::{InboundMessage, MessageType};
use diator::{ReceiveError, SendError};
use diator_tests::Ending;
use uuid::Uuid;

use super::world::{Announced, Conduct, Gate, World, work};

#[tokio::test]
async fn an_idle_mediator_is_shut_down_at_once() {
    let world = World::new();
    assert!(world.mediator.shutdown(Duration::ZERO).await.is_clean());
    assert!(world.mediator.shutdown(Duration::ZERO).await.is_clean(), "a second time, too");
}

#[tokio::test]
async fn a_deadline_may_be_endless() {
    assert!(World::new().mediator.shutdown(Duration::MAX).await.is_clean());
}

#[tokio::test]
async fn new_messages_of_every_kind_are_refused() {
    let world = World::new();
    world.mediator.shutdown(Duration::ZERO).await;
    let next = || work("next", &Gate::opened(), Conduct::Succeed);
    assert!(matches!(world.mediator.send(next()).await, Err(SendError::ShuttingDown)));
    assert!(matches!(world.mediator.send_dyn(next()).await, Err(SendError::ShuttingDown)));
    let emitted = world.mediator.emit(Announced { label: "next".into() }).await;
    assert!(matches!(emitted, Err(SendError::ShuttingDown)), "{emitted:?}");
    let arrived = InboundMessage::new(MessageType::Notification, "Announced", Uuid::now_v7(), serde_json::json!({}));
    let received = world.mediator.receive(arrived).await;
    assert!(matches!(received, Err(ReceiveError::ShuttingDown)), "{received:?}");
    assert_eq!(world.journal.entries(), [], "nothing of them has happened");
}

/// Otherwise a service whose clients go on calling would never be told that it has come to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_not_waited_for_and_not_left_behind() {
    let world = Arc::new(World::new());
    world.mediator.shutdown(Duration::ZERO).await;
    let over = Arc::new(AtomicBool::new(false));
    let callers = [(); 4].map(|()| {
        let (world, over) = (world.clone(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                for _ in 0..100 {
                    let sent = world.mediator.send(work("next", &Gate::opened(), Conduct::Succeed)).await;
                    assert!(matches!(sent, Err(SendError::ShuttingDown)), "{sent:?}");
                }
                tokio::task::yield_now().await;
            }
        })
    });
    for _ in 0..20_000 {
        let report = world.mediator.shutdown(Duration::ZERO).await;
        assert!(report.is_clean(), "{report:?}");
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("it does not panic");
    }
}

#[tokio::test]
async fn a_clone_is_shut_down_too() {
    let world = World::new();
    let clone = world.mediator.clone();
    world.mediator.shutdown(Duration::ZERO).await;
    let sent = clone.send(work("next", &Gate::opened(), Conduct::Succeed)).await;
    assert!(matches!(sent, Err(SendError::ShuttingDown)), "{sent:?}");
}

#[tokio::test]
async fn a_message_that_was_not_polled_before_is_refused() {
    let world = World::new();
    let sending = world.mediator.send(work("late", &Gate::opened(), Conduct::Succeed));
    assert!(world.mediator.shutdown(Duration::ZERO).await.is_clean());
    assert!(matches!(sending.await, Err(SendError::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn what_a_running_message_sends_is_not_refused() {
    let (world, gate) = (World::new(), Gate::closed());
    let running = world.spawn("running", &gate, Conduct::SendAnother).await;
    let shutdown = world.spawn_shutdown().await;
    gate.open();
    running.await.expect("it does not panic").expect("it goes on as if there were no shutdown");
    assert!(shutdown.await.expect("it does not panic").is_clean());
    assert_eq!(world.journal.published(), ["running", "running, nested"]);
    assert_eq!(world.journal.endings(), [Ending::Committed]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_was_dropped_still_refuses() {
    let (world, gate) = (World::new(), Gate::closed());
    let running = world.spawn("running", &gate, Conduct::Succeed).await;
    let waiting = diator_testkit::drop_after(3, world.mediator.shutdown(Duration::from_secs(60))).await;
    assert!(waiting.is_none(), "a message is running");
    let sent = world.mediator.send(work("next", &gate, Conduct::Succeed)).await;
    assert!(matches!(sent, Err(SendError::ShuttingDown)), "{sent:?}");
    gate.open();
    running.await.expect("it does not panic").expect("it was taken before");
}
