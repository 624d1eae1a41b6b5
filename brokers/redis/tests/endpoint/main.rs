//! Whole endpoints on Redis Streams: a mediator publishes, and others handle, whatever becomes of them.

mod world;

use std::time::Duration;

use diator::endpoint::{ErrorPolicy, Order};
use diator_testkit::broker::Server;
use tokio::time::sleep;

use self::world::{Does, LOCK, World, until};

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
async fn an_error_is_tried_again_and_becomes_a_dead_letter() {
    let mut world = World::new(|order, _| if order == 1 { Does::Fails } else { Does::Succeeds });
    world.endpoint = |endpoint| endpoint.errors(ErrorPolicy::new().immediately(2));
    world.order(0..3).await;
    let billing = world.billing();
    until(|| !world.dead_letters().is_empty()).await;
    world.until_nothing_is_pending().await;
    let letter = &world.dead_letters()[0];
    assert!(letter["dead_letter_reason"].contains("the bank is away"), "{letter:?}");
    assert_eq!((&*letter["dead_letter_endpoint"], &*letter["dead_letter_failures"]), ("billing", "3"));
    assert_eq!((&*letter["name"], &*letter["key"]), ("OrderPlaced", "1"));
    assert_eq!((world.bank.attempts.lock().unwrap()[&1], world.bank.charged().len()), (3, 2));
    billing.end().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_message_alone() {
    let world = World::new(|order, attempt| if order == 1 && attempt == 1 { Does::Panics } else { Does::Succeeds });
    world.order(0..3).await;
    let billing = world.billing();
    world.until_charged(3).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn garbage_and_foreign_fields_are_dead_letters() {
    let world = World::new(|_, _| Does::Succeeds);
    world.server.cli().run(&["XADD", "orders", "*", "data", "{}"]);
    world.server.cli().run(&["XADD", "orders", "*", "body", "garbage"]);
    let billing = world.billing();
    until(|| world.server.cli().run(&["XLEN", "orders.dead"]) == ["2"]).await;
    let letters = world.server.cli().run(&["XRANGE", "orders.dead", "-", "+"]);
    let kinds = letters.windows(2).filter(|pair| pair[0] == "dead_letter_kind" && pair[1] == "Unreadable");
    assert_eq!(kinds.count(), 2, "{letters:?}");
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn a_dead_letter_that_has_no_room_stays_in_the_stream() {
    let mut world = World::new(|_, _| Does::FailsAfter(Duration::from_secs(1)));
    world.endpoint = |endpoint| endpoint.errors(ErrorPolicy::new().immediately(0));
    world.order(0..1).await;
    let billing = world.billing();
    until(|| world.bank.attempts.lock().unwrap().get(&0) == Some(&1)).await;
    world.server.cli().run(&["CONFIG", "SET", "maxmemory", "1"]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.server.cli().run(&["XLEN", "orders.dead"]), ["0"]);
    assert_eq!(world.server.cli().run(&["XPENDING", "orders", "billing"])[0], "1");
    world.server.cli().run(&["CONFIG", "SET", "maxmemory", "0"]);
    until(|| world.dead_letters().len() == 1).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn what_waits_for_another_attempt_survives_a_kill() {
    let mut world = World::new(|_, attempt| if attempt == 1 { Does::Fails } else { Does::Succeeds });
    world.endpoint = |endpoint| endpoint.errors(ErrorPolicy::new().immediately(0).later([Duration::from_secs(3600)]));
    world.order(0..10).await;
    let killed = world.billing();
    until(|| world.bank.attempts.lock().unwrap().len() == 10).await;
    killed.kill();
    let billing = world.billing();
    world.until_charged(10).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
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
async fn a_server_that_was_restarted_goes_on_being_read() {
    let world = World::new(|_, _| Does::Succeeds);
    let billing = world.billing();
    world.order(0..10).await;
    world.until_charged(10).await;
    world.server.kill();
    sleep(LOCK / 2).await;
    world.server.restart();
    world.order(10..20).await;
    world.until_charged(20).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
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
