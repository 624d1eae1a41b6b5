//! What a shutdown waits for, and what it reports when it has waited long enough.

use std::time::Duration;

use diator_testkit::drop_after;
use diator_tests::{Ending, Pace};

use super::world::{Conduct, Gate, Work, World, work};

const DEADLINE: Duration = Duration::from_secs(30);

/// The shutdown waits until `release` is called, and is then clean.
async fn assert_waits_for(world: &World, release: impl FnOnce()) {
    let shutdown = world.spawn_shutdown().await;
    assert!(!shutdown.is_finished(), "something is running");
    release();
    assert!(shutdown.await.expect("it does not panic").is_clean());
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_running_messages() {
    let (world, first, second) = (World::new(), Gate::closed(), Gate::closed());
    let one = world.spawn("one", &first, Conduct::Succeed).await;
    let two = world.spawn("two", &second, Conduct::Succeed).await;
    first.open();
    assert_waits_for(&world, || second.open()).await;
    assert_eq!(world.journal.published(), ["one", "two"]);
    assert!(one.is_finished() && two.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_commit_whose_sender_has_gone() {
    let (world, gate) = (World::new(), Gate::opened());
    world.container.close(Pace::Yielding(50));
    world.spawn("gone", &gate, Conduct::Succeed).await.abort();
    assert_waits_for(&world, || {}).await;
    assert_eq!(world.journal.endings(), [Ending::Committed]);
    assert_eq!(world.journal.published(), ["gone"]);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_publishing_whose_sender_has_gone() {
    let (world, gate) = (World::new(), Gate::opened());
    world.broker.memory().hang();
    world.spawn("gone", &gate, Conduct::Succeed).await.abort();
    assert_waits_for(&world, || world.broker.memory().accept()).await;
    assert_eq!(world.journal.published(), ["gone"]);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_handler_after_the_commit_whose_sender_has_gone() {
    let (world, settling) = (World::new(), Gate::closed());
    let settled_late = Work { settling: settling.clone(), ..work("gone", &Gate::opened(), Conduct::Succeed) };
    assert!(drop_after(5, world.mediator.send(settled_late)).await.is_none(), "it waits at the gate");
    assert_waits_for(&world, || settling.open()).await;
    assert_eq!(world.journal.notes(), ["gone begins", "gone settled"]);
    assert_eq!(world.journal.published(), ["gone"]);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_message_that_fails() {
    let (world, gate) = (World::new(), Gate::closed());
    let failing = world.spawn("failing", &gate, Conduct::Fail).await;
    assert_waits_for(&world, || gate.open()).await;
    failing.await.expect("it does not panic").expect_err("it fails");
    assert_eq!(world.journal.endings(), [Ending::RolledBack]);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_a_message_that_was_dropped() {
    let (world, gate) = (World::new(), Gate::closed());
    let dropped = world.spawn("dropped", &gate, Conduct::Succeed).await;
    assert_waits_for(&world, || dropped.abort()).await;
    assert_eq!(world.journal.endings(), [Ending::Dropped], "its scope ended before the shutdown did");
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_a_message_that_panicked() {
    let (world, gate) = (World::new(), Gate::closed());
    let panicking = world.spawn("panicking", &gate, Conduct::Panic).await;
    assert_waits_for(&world, || gate.open()).await;
    assert!(panicking.await.expect_err("it panics").is_panic());
    assert_eq!(world.journal.endings(), [Ending::Dropped]);
}

#[tokio::test(start_paused = true)]
async fn several_may_wait() {
    let (world, gate) = (World::new(), Gate::closed());
    let running = world.spawn("running", &gate, Conduct::Succeed).await;
    let first = world.spawn_shutdown().await;
    let second = world.spawn_shutdown().await;
    gate.open();
    for shutdown in [first, second] {
        assert!(shutdown.await.expect("it does not panic").is_clean());
    }
    running.await.expect("it does not panic").expect("it succeeds");
}

// --- The deadline. ------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn at_the_deadline_it_reports_what_is_left() {
    let (world, gate) = (World::new(), Gate::closed());
    let first = world.spawn("first", &gate, Conduct::Succeed).await;
    let second = world.spawn("second", &gate, Conduct::Fail).await;
    let done = world.spawn("done", &Gate::opened(), Conduct::Succeed).await;
    world.broker.memory().hang();
    world.spawn("gone", &Gate::opened(), Conduct::Succeed).await.abort();

    let begun = tokio::time::Instant::now();
    let report = world.mediator.shutdown(DEADLINE).await;
    assert_eq!((report.messages, report.tasks), (2, 1), "two wait at their gate, and one hangs in the broker");
    assert!(!report.is_clean());
    assert_eq!(begun.elapsed().as_secs(), DEADLINE.as_secs(), "it waited as long as it may, and no longer");

    gate.open();
    world.broker.memory().accept();
    let report = world.mediator.shutdown(DEADLINE).await;
    assert_eq!((report.messages, report.tasks), (0, 0), "it waits again when it is called again");
    assert!(first.await.expect("it does not panic").is_ok());
    assert!(second.await.expect("it does not panic").is_err());
    assert!(done.await.expect("it does not panic").is_ok());
    let mut published = world.journal.published();
    published.sort_unstable();
    assert_eq!(published, ["done", "first", "gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_zero_asks_only_what_is_left() {
    let (world, gate) = (World::new(), Gate::closed());
    let running = world.spawn("running", &gate, Conduct::Succeed).await;
    let report = world.mediator.shutdown(Duration::ZERO).await;
    assert_eq!((report.messages, report.tasks), (1, 0));
    gate.open();
    running.await.expect("it does not panic").expect("it comes to its end all the same");
    assert!(world.mediator.shutdown(Duration::ZERO).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_handler_after_the_commit_whose_sender_has_gone_is_a_task() {
    let (world, settling) = (World::new(), Gate::closed());
    let settled_late = Work { settling: settling.clone(), ..work("gone", &Gate::opened(), Conduct::Succeed) };
    assert!(drop_after(5, world.mediator.send(settled_late)).await.is_none(), "it waits at the gate");
    let report = world.mediator.shutdown(DEADLINE).await;
    assert_eq!((report.messages, report.tasks), (0, 1), "no sender waits for it");
    settling.open();
    assert!(world.mediator.shutdown(DEADLINE).await.is_clean());
}
