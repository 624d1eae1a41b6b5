use super::engine::{Engine, Trouble, able};
use super::world::{Conduct, World, pass, secs};
use crate::endpoint::Order;
use crate::subscription::{Capabilities, DeliveryTag, Ownership};

const ONE: Ownership = Ownership { partition: 1, epoch: 1 };
const TWO: Ownership = Ownership { partition: 2, epoch: 1 };

#[tokio::test(start_paused = true)]
async fn a_settlement_that_fails_is_made_again_and_nothing_is_handled_twice() {
    for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::Panics] {
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        engine.trouble(trouble);
        world.start(world.endpoint());
        let tag = engine.publish("", 1);
        pass(secs(60)).await;
        assert_eq!((engine.settled(), world.health().await.held), (Vec::new(), 1));
        assert!(engine.extensions(tag) >= 5, "{trouble:?} does not keep locks from being extended");
        engine.trouble(Trouble::None);
        pass(secs(20)).await;
        assert_eq!((engine.acked(), world.script.runs().len(), world.health().await.held), (vec![1], 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn workers_do_not_wait_for_a_slow_engine() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.trouble(Trouble::Late(secs(2)));
    for number in 0..64 {
        engine.publish("", number);
    }
    world.start(world.endpoint().concurrency(4));
    pass(secs(1)).await;
    assert!(world.script.runs().len() >= 32, "{}", world.script.runs().len());
    pass(secs(20)).await;
    assert_eq!(engine.acked().len(), 64);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_lost_when_it_is_settled_is_counted() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    engine.take_lock(DeliveryTag(1));
    engine.publish("", 1);
    pass(secs(1)).await;
    let health = world.health().await;
    assert_eq!((engine.settled(), health.lock_lost, health.held), (Vec::new(), 1, 0));
    // It comes again, and what is done is not done again here.
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((engine.acked(), world.script.runs().len()), (vec![2], 1));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_only_knows_how_far_it_is_gets_verdicts_in_order() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, ..able() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(10))]);
    world.script.say("charge", 4, [Conduct::Fail, Conduct::Take(secs(2))]);
    world.start(world.endpoint().order(Order::PerKey));
    for (owner, key, number) in [(ONE, "a", 1), (ONE, "b", 2), (TWO, "c", 3), (TWO, "d", 4), (TWO, "e", 5)] {
        engine.publish_as("OrderPlaced", key, number, |delivery| delivery.with_owner(owner));
    }
    pass(secs(1)).await;
    assert_eq!(engine.acked(), [3]);
    pass(secs(5)).await;
    assert_eq!(engine.acked(), [3, 4, 5]);
    pass(secs(5)).await;
    assert_eq!(engine.acked(), [3, 4, 5, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn where_a_gap_can_never_be_settled_the_endpoint_opens_anew() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, ..able() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(15))]);
    world.start(world.endpoint());
    let lost = engine.publish("", 1);
    engine.publish("", 2);
    pass(secs(1)).await;
    engine.take_lock(lost);
    pass(secs(30)).await;
    assert_eq!((engine.settled(), engine.opened()), (Vec::new(), 2));
}
