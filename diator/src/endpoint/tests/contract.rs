//! Drivers that do not keep the contract.

use super::engine::{Engine, able};
use super::log::Log;
use super::world::{Conduct, World, pass, secs};
use crate::endpoint::Order;
use crate::subscription::{Capabilities, Ownership};

const ONE: Ownership = Ownership { partition: 1, epoch: 1 };

#[tokio::test(start_paused = true)]
async fn batches_without_a_delivery_do_not_take_the_processor() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    engine.yield_empty(true);
    pass(secs(10)).await;
    let batches = engine.empty_batches();
    assert!((90..120).contains(&batches), "{batches}");
    let line = log.one_with("batches without a delivery");
    assert!(line.starts_with("WARN ") && line.contains("endpoint=\"billing\""), "{line}");
    // What comes then is handled, and the opening stands.
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((engine.acked(), engine.opened()), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn what_still_comes_of_an_owner_that_has_gone_is_not_handled_and_told_once() {
    for settles_out_of_order in [true, false] {
        for is_lost in [true, false] {
            let (log, _listening) = Log::listen();
            let engine = Engine::new(Capabilities { settles_out_of_order, ..able() });
            let mut world = World::new(engine.clone());
            world.start(world.endpoint().order(Order::PerKey));
            if is_lost {
                engine.lose(ONE);
            } else {
                engine.revoke(ONE, secs(1));
            }
            pass(secs(2)).await;
            let publish = |number, owner| engine.publish_as("OrderPlaced", "a", number, |one| one.with_owner(owner));
            publish(1, ONE);
            publish(2, ONE);
            pass(secs(1)).await;
            let health = world.health().await;
            assert_eq!((world.script.runs(), engine.log().len(), health.held), (vec![], usize::from(!is_lost), 0));
            let line = log.one_with("of an owner that was lost or given up");
            assert!(line.starts_with("WARN ") && line.contains("partition=1, epoch=1"), "{line}");
            // The partition may come back to this process, and the credit was not used up.
            let again = publish(3, Ownership { epoch: 2, ..ONE });
            pass(secs(1)).await;
            assert_eq!((engine.acked(), engine.opened()), (vec![again.0], 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_was_given_up_unasked_is_no_news() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(Capabilities { settles_out_of_order: false, ..able() });
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    let lost = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(ONE));
    engine.take_lock(lost);
    pass(secs(1)).await;
    // The driver may have read it before it heard.
    engine.publish_as("OrderPlaced", "", 2, |delivery| delivery.with_owner(ONE));
    pass(secs(1)).await;
    assert_eq!((engine.revoked(), world.script.numbers("charge")), (vec![ONE], vec![1]));
    assert_eq!(log.with("against its contract"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn too_few_answers_for_locks_are_told_and_asked_for_again() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(60))]);
    world.start(world.endpoint());
    engine.answer_no_extensions();
    engine.publish("", 1);
    pass(secs(35)).await;
    let told = log.with("the driver gave too few answers");
    assert!(told.len() > 1 && told.iter().all(|line| line.starts_with("WARN ") && line.contains("extend")), "{told:?}");
    let health = world.health().await;
    assert_eq!((health.lock_lost, health.last_error.as_deref()), (1, Some("the driver gave too few answers")));
}
