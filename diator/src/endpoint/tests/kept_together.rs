//! Several handlers of one message: what one of them waits for keeps no other one waiting.

use super::engine::{Engine, able};
use super::stores::Faulty;
use super::world::{Charge, Conduct, GatewayDown, Post, World, millis, pass, secs};
use crate::endpoint::{ErrorPolicy, OnDead, OnError, Order};
use crate::handlers;

fn world() -> (Engine, Faulty, World) {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    (engine, inbox, world)
}

/// A gateway that is down is asked again after that time.
fn again_in(time: std::time::Duration) -> ErrorPolicy {
    ErrorPolicy::new().immediately(0).when::<GatewayDown>(move |_| OnError::Again(time))
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_due_runs_although_another_one_waits_longer() {
    for order in [Order::None, Order::PerKey] {
        let (engine, inbox, mut world) = world();
        world.script.say("post", 1, [Conduct::Fail]);
        world.script.say("charge", 1, [Conduct::Down]);
        world.start(world.endpoint().order(order).errors(again_in(secs(3_600)).later([secs(10)])));
        engine.publish("a", 1);
        pass(secs(1)).await;
        assert_eq!((engine.acked(), inbox.rows().await.len()), (vec![1], 2));
        pass(secs(10)).await;
        assert_eq!(world.script.succeeded(), [("post", 1)], "{order:?}");
        pass(secs(3_600)).await;
        assert_eq!(world.script.succeeded(), [("post", 1), ("charge", 1)], "{order:?}");
        assert_eq!((inbox.rows().await.len(), world.script.runs().len()), (0, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_seen_and_outlives_a_crash_while_another_handler_is_tried_again() {
    let (engine, inbox, mut world) = world();
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("post", 1, vec![Conduct::Down; 100]);
    world.start(world.endpoint().errors(again_in(secs(60))));
    engine.publish("a", 1);
    pass(secs(600)).await;
    let shown = [("post".to_owned(), 0, None), ("charge".to_owned(), 1, Some("Handler".to_owned()))];
    assert_eq!(inbox.shown().await, shown);
    assert_eq!(world.health().await.kept.map(|kept| kept.dead), Some(1));
    world.crash().await;
    world.start(world.endpoint().errors(again_in(secs(60))));
    engine.publish("a", 1);
    pass(secs(600)).await;
    assert_eq!(world.script.numbers("charge").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_over_crashes_while_another_handler_is_tried_again() {
    let (engine, inbox, mut world) = world();
    world.script.say("charge", 1, vec![Conduct::Fail; 100]);
    world.script.say("post", 1, vec![Conduct::Down; 100]);
    engine.publish("a", 1);
    for _ in 0..4 {
        world.start(world.endpoint().errors(again_in(secs(60)).later([secs(10), secs(10)])));
        pass(secs(200)).await;
        world.crash().await;
    }
    assert_eq!((world.script.numbers("charge").len(), inbox.rows().await.len()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_parks_no_handler_of_its_own_message() {
    let (engine, inbox, mut world) = world();
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("post", 1, [Conduct::Down]);
    world.start(world.endpoint().order(Order::PerKey).errors(again_in(secs(60)).on_dead(OnDead::Park)));
    engine.publish("a", 1);
    engine.publish("a", 2);
    pass(secs(120)).await;
    assert_eq!(world.script.succeeded(), [("post", 1)]);
    assert_eq!(inbox.replay().await, 1);
    pass(secs(5)).await;
    assert_eq!(world.script.succeeded(), [("post", 1), ("charge", 1), ("charge", 2), ("post", 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_tried_again_at_once_does_not_go_through_the_store() {
    let (engine, inbox, mut world) = world();
    world.script.say("charge", 1, [Conduct::Down]);
    world.script.say("post", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(ErrorPolicy::new().when::<GatewayDown>(|_| OnError::DeadLetter)));
    engine.publish("a", 1);
    pass(millis(50)).await;
    assert_eq!(world.script.succeeded(), [("post", 1)]);
    assert_eq!(inbox.rows().await.iter().map(|row| row.id).collect::<Vec<_>>(), [1]);
}
