use super::engine::{Engine, Trouble, able};
use super::world::{Conduct, World, pass, secs};
use crate::endpoint::Order;
use crate::subscription::{Capabilities, DeliveryTag, Ownership, Verdict};

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
        pass(secs(25)).await;
        assert_eq!((engine.settled(), world.health().await.held), (Vec::new(), 1));
        assert!(engine.extensions(tag) >= 2, "{trouble:?} does not keep locks from being extended");
        engine.trouble(Trouble::None);
        pass(secs(20)).await;
        assert_eq!((engine.acked(), world.script.runs().len(), engine.opened()), (vec![1], 1, 1));
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

#[tokio::test(start_paused = true)]
async fn an_opening_on_which_nothing_can_be_settled_is_given_up() {
    for (trouble, within) in [(Trouble::Fails, 75), (Trouble::Hangs, 100), (Trouble::Closed, 2)] {
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        engine.trouble(trouble);
        world.start(world.endpoint());
        engine.publish("", 1);
        pass(secs(within)).await;
        assert_eq!(engine.opened(), 2, "{trouble:?}");
        // It comes again in the next one, where what is done is not done again.
        engine.trouble(Trouble::None);
        engine.publish("", 1);
        pass(secs(2)).await;
        assert_eq!((engine.acked(), world.script.runs().len()), (vec![2], 1), "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_is_refused_is_shown_and_holds_nothing_else_up() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.refuse(DeliveryTag(1));
    world.start(world.endpoint());
    for number in 1..=3 {
        engine.publish("", number);
    }
    pass(secs(100)).await;
    let health = world.health().await;
    assert_eq!((engine.acked(), health.refused, health.held, engine.opened()), (vec![2, 3], 1, 1, 1));
    assert!(engine.extensions(DeliveryTag(1)) > 5);
    world.stop().await.expect("nobody waits for it at the end");
}

#[tokio::test(start_paused = true)]
async fn where_only_offsets_are_known_a_refused_verdict_stops_its_owner() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, ..able() });
    let mut world = World::new(engine.clone());
    engine.refuse(DeliveryTag(1));
    world.start(world.endpoint());
    for (owner, number) in [(ONE, 1), (ONE, 2), (TWO, 3)] {
        engine.publish_as("OrderPlaced", "", number, |delivery| delivery.with_owner(owner));
    }
    pass(secs(2)).await;
    // What the driver had in the same call is its own care.
    assert!(engine.acked().contains(&3));
    engine.publish_as("OrderPlaced", "", 4, |delivery| delivery.with_owner(ONE));
    pass(secs(2)).await;
    assert!(!engine.acked().contains(&4), "{:?}", engine.acked());
    // Nothing is handled that could not be settled, and the engine can give the partition to others.
    assert_eq!((world.script.runs().len(), engine.revoked(), engine.opened()), (3, vec![ONE], 1));
    // The same partition comes again, and its message is refused again: it does not go round without a pause.
    let again = Ownership { epoch: 2, ..ONE };
    let tag = DeliveryTag(5);
    engine.refuse(tag);
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(again));
    pass(secs(7)).await;
    assert_eq!((world.script.runs().len(), world.health().await.refused, engine.opened()), (3, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn where_only_offsets_are_known_and_no_owners_a_refused_verdict_ends_the_opening() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, ..able() });
    let mut world = World::new(engine.clone());
    engine.refuse(DeliveryTag(1));
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((engine.opened(), world.health().await.refused), (2, 1));
    let error = world.health().await.last_error.expect("it has failed");
    assert!(error.contains("does not take a verdict"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_over_when_locks_are_extended_ends_the_opening() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(15))]);
    world.start(world.endpoint());
    engine.publish("", 1);
    engine.close_extensions();
    pass(secs(9)).await;
    assert_eq!((engine.credit() > 0, engine.opened()), (true, 1));
    pass(secs(2)).await;
    // What runs comes to its end, and no more is taken.
    assert_eq!((engine.credit(), engine.opened(), world.script.ended()), (0, 1, vec![]));
    pass(secs(10)).await;
    assert_eq!((engine.opened(), engine.closed(), world.script.ended()), (2, 1, vec![("charge", 1)]));
    let health = world.health().await;
    assert_eq!((health.lock_lost, health.last_error.as_deref()), (0, Some("the connection ended")));
    // It comes again, and what is done is not done again.
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((engine.verdict(tag), world.script.numbers("charge").len()), (Some(Verdict::Ack), 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_does_not_count_as_ahead() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, lock: None, extends: false, ..able() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 0, [Conduct::Take(secs(60))]);
    world.start(world.endpoint().concurrency(4).max_ahead(8));
    for number in 0..100 {
        engine.publish_as("OrderPlaced", "", number, |delivery| delivery.with_owner(ONE));
    }
    pass(secs(30)).await;
    assert_eq!((world.script.runs().len(), engine.acked().len(), world.health().await.held), (100, 0, 100));
    pass(secs(31)).await;
    assert_eq!((engine.acked().len(), world.health().await.held), (100, 0));
}
