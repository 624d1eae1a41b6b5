//! Locks that cannot be extended.

use super::engine::{Engine, able};
use super::world::{Charge, Conduct, GatewayDown, Post, World, millis, pass, secs};
use crate::endpoint::{ErrorPolicy, OnError, Order};
use crate::handlers;
use crate::subscription::{Capabilities, Release, Verdict};

/// Its locks last for 30 s.
fn fixed() -> Capabilities {
    Capabilities { extends: false, ..able() }
}

fn again(time: std::time::Duration) -> ErrorPolicy {
    ErrorPolicy::new().immediately(0).when::<GatewayDown>(move |_| OnError::Again(time))
}

#[tokio::test(start_paused = true)]
async fn what_has_not_begun_goes_back_when_two_thirds_of_its_lock_have_gone() {
    let engine = Engine::new(fixed());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(25))]);
    world.start(world.endpoint().concurrency(1));
    let (runs, waits) = (engine.publish("", 1), engine.publish("", 2));
    pass(millis(19_990)).await;
    assert_eq!(engine.settled(), []);
    pass(millis(20)).await;
    assert_eq!(engine.settled(), [(waits.0, Verdict::Release)]);
    pass(secs(6)).await;
    assert_eq!(engine.verdict(runs), Some(Verdict::Ack));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_longer_than_the_lock_does_not_go_round_without_a_pause() {
    let engine = Engine::new(fixed());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    world.start(world.endpoint().errors(again(secs(70))));
    let mut tag = engine.publish("", 1);
    // The engine delivers at once what goes back.
    for round in 0..3 {
        pass(millis(19_990)).await;
        assert_eq!((engine.verdict(tag), world.script.numbers("charge").len()), (None, 1), "{round}");
        pass(millis(20)).await;
        assert_eq!(engine.verdict(tag), Some(Verdict::Release), "{round}");
        tag = engine.publish("", 1);
    }
    pass(secs(11)).await;
    let times = world.script.times("charge", 1);
    assert!(times.len() == 2 && times[1] >= secs(70) && times[1] < secs(71), "{times:?}");
    assert_eq!(engine.verdict(tag), Some(Verdict::Ack));
}

#[tokio::test(start_paused = true)]
async fn an_engine_is_asked_to_wait_only_for_times_that_it_was_told_of() {
    let engine = Engine::new(fixed().delayed_retry(secs(900)));
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("post", 1, [Conduct::Down, Conduct::Down]);
    world.start(world.endpoint().errors(again(secs(60)).later([secs(10), secs(90)])));
    let first = engine.publish("", 1);
    pass(secs(10)).await;
    assert_eq!(engine.verdict(first), Some(Verdict::retry(secs(10), 1)));
    // It comes for one of its handlers, and the other one's time has not come.
    let second = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((world.script.numbers("charge").len(), world.script.numbers("post").len()), (2, 1));
    assert_eq!(engine.verdict(second), Some(Verdict::retry(secs(90), 0)));
    pass(secs(90)).await;
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((world.script.numbers("charge").len(), world.script.numbers("post").len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_shorter_than_the_lock_and_has_no_name_is_held() {
    let engine = Engine::new(fixed().delayed_retry(secs(900)));
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    world.start(world.endpoint().errors(again(secs(5)).later([secs(10)])));
    engine.publish("", 1);
    pass(millis(5_010)).await;
    assert_eq!((world.script.numbers("charge").len(), engine.acked()), (2, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn what_fails_when_two_thirds_of_its_lock_have_gone_goes_back_at_once() {
    let engine = Engine::new(fixed());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint().max_handling(secs(25)));
    let tag = engine.publish("", 1);
    pass(millis(25_010)).await;
    assert_eq!((engine.verdict(tag), world.health().await.lock_lost), (Some(Verdict::Release), 0));
}

#[tokio::test(start_paused = true)]
async fn in_order_what_goes_back_is_not_overtaken_by_what_the_driver_has_read() {
    let engine = Engine::new(fixed());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(25))]);
    world.start(world.endpoint().concurrency(1).order(Order::PerKey));
    // Two are taken; the third waits at the driver.
    let (runs, stale, _behind) = (engine.publish("a", 1), engine.publish("b", 2), engine.publish("b", 3));
    pass(millis(20_010)).await;
    assert_eq!((engine.verdict(stale), engine.credit(), engine.opened()), (Some(Verdict::Release), 0, 1));
    pass(millis(4_900)).await;
    assert_eq!((world.script.numbers("charge"), world.health().await.held), (vec![1], 1));
    pass(secs(1)).await;
    // What runs came to its end; a new opening gives the rest in order.
    assert_eq!((engine.verdict(runs), engine.opened()), (Some(Verdict::Ack), 2));
}

#[tokio::test(start_paused = true)]
async fn where_only_offsets_are_known_what_cannot_go_back_ends_its_owner() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, release: Release::Impossible, ..fixed() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    world.start(world.endpoint().errors(again(secs(60))));
    let owner = crate::subscription::Ownership { partition: 1, epoch: 1 };
    for number in 1..=2 {
        engine.publish_as("OrderPlaced", "", number, |delivery| delivery.with_owner(owner));
    }
    pass(secs(19)).await;
    assert_eq!((engine.settled(), engine.revoked(), world.health().await.held), (Vec::new(), Vec::new(), 2));
    pass(secs(2)).await;
    assert_eq!((engine.settled(), engine.revoked(), world.health().await.held), (Vec::new(), vec![owner], 0));
}

/// In order per key a lock that is lost ends the opening: its messages come again, and must not find their handler cut off each time.
#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_longer_than_its_lock_comes_to_its_end() {
    for takes in [45, 200] {
        let engine = Engine::new(fixed());
        let mut world = World::new(engine.clone());
        world.script.say("charge", 1, [Conduct::Take(secs(takes))]);
        world.start(world.endpoint().order(Order::PerKey));
        let first = engine.publish("a", 1);
        pass(secs(takes - 1)).await;
        assert_eq!((world.health().await.lock_lost, engine.opened()), (1, 1), "{takes}");
        pass(secs(2)).await;
        assert_eq!((engine.verdict(first), engine.opened()), (None, 2), "{takes}");
        let again = engine.publish("a", 1);
        pass(secs(1)).await;
        assert_eq!((world.script.numbers("charge"), engine.verdict(again)), (vec![1], Some(Verdict::Ack)), "{takes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_holds_the_next_opening_up_as_long_as_a_handler_may_take() {
    let engine = Engine::new(fixed());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint().order(Order::PerKey).max_handling(secs(100)));
    engine.publish("a", 1);
    pass(secs(99)).await;
    assert_eq!(engine.opened(), 1);
    pass(secs(2)).await;
    // It is a failure that counts.
    let health = world.health().await;
    assert_eq!((engine.opened(), health.failed), (2, 1));
}
