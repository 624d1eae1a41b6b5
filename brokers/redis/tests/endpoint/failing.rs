//! Messages that fail, and what becomes of them.

use std::sync::LazyLock;
use std::time::Duration;

use diator::endpoint::{ErrorPolicy, InMemoryAttemptLog};
use tokio::time::sleep;

use super::world::{Does, World, until};

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
async fn a_message_that_ends_its_process_becomes_a_dead_letter() {
    // It outlives the processes, as a database does.
    static LOG: LazyLock<InMemoryAttemptLog> = LazyLock::new(InMemoryAttemptLog::new);
    let mut world =
        World::new(|order, _| if order == 1 { Does::SucceedsAfter(Duration::from_secs(3600)) } else { Does::Succeeds });
    world.endpoint = |endpoint| endpoint.attempt_log(LOG.clone());
    world.order(0..3).await;
    // The first time it comes nobody suspects it.
    for times in 1..=4 {
        let process = world.billing();
        until(|| world.bank.attempts.lock().unwrap().get(&1) == Some(&times)).await;
        process.kill();
    }
    let last = world.billing();
    until(|| world.dead_letters().len() == 1).await;
    assert_eq!((world.dead_letters()[0]["key"].as_str(), world.bank.charged().len()), ("1", 2));
    world.until_nothing_is_pending().await;
    last.end().await;
}
