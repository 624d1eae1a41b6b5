//! Whole endpoints on Redis Streams: a mediator publishes, and others handle, whatever becomes of them.

mod failing;
mod server;
mod world;

use std::time::Duration;

use diator::endpoint::Order;

use self::world::{Does, LOCK, World};

#[tokio::test]
async fn all_events_are_handled_though_a_consumer_is_killed() {
    let world = World::new(|_, _| Does::SucceedsAfter(Duration::from_millis(10)));
    let (killed, survivor) = (world.billing(), world.billing());
    world.order(0..400).await;
    world.until_charged(50).await;
    killed.kill();
    world.until_charged(400).await;
    world.until_nothing_is_pending().await;
    assert!(world.bank.doubled() <= 2 * 4, "{} were handled twice, and no more than ran may be", world.bank.doubled());
    survivor.kill();
}

#[tokio::test]
async fn a_handler_that_is_slower_than_a_lock_is_called_once() {
    let world = World::new(|_, _| Does::SucceedsAfter(LOCK + LOCK / 2));
    world.order(0..16).await;
    let processes = [world.billing(), world.billing()];
    world.until_charged(16).await;
    world.until_nothing_is_pending().await;
    assert_eq!(world.bank.charged().len(), 16);
    for process in processes {
        process.end().await;
    }
}

#[tokio::test]
async fn what_an_orderly_end_leaves_is_handled_by_another_process() {
    let mut world = World::new(|_, _| Does::SucceedsAfter(Duration::from_millis(50)));
    // Longer than the test may take: nothing can wait for the end of a lock.
    world.config = |config| config.lock(Duration::from_secs(600));
    world.order(0..40).await;
    let (first, second) = (world.billing(), world.billing());
    world.until_charged(8).await;
    first.end().await;
    world.until_charged(40).await;
    world.until_nothing_is_pending().await;
    assert_eq!(world.bank.doubled(), 0);
    second.end().await;
}

#[tokio::test]
async fn a_key_stays_in_order_though_messages_fail_and_processes_come_and_go() {
    let mut world = World::new(|order, attempt| match (order % 7, attempt) {
        (3, 1) => Does::Fails,
        _ => Does::SucceedsAfter(Duration::from_millis(2)),
    });
    world.config = |config| config.partitions(8);
    world.endpoint = |endpoint| endpoint.order(Order::PerKey);
    let first = world.billing();
    world.order(0..200).await;
    world.until_charged(50).await;
    let second = world.billing();
    world.order(200..300).await;
    world.until_charged(150).await;
    first.end().await;
    let third = world.billing();
    world.order(300..400).await;
    world.until_charged(400).await;
    let charged = world.bank.charged();
    assert_eq!((charged.len(), world.bank.doubled()), (400, 0));
    for customer in 0..5 {
        assert!(charged.iter().filter(|(of, _)| *of == customer).is_sorted(), "{charged:?}");
    }
    for process in [second, third] {
        process.end().await;
    }
}
