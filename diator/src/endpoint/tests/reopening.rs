use super::engine::{Engine, able};
use super::world::{Conduct, World, pass, secs};
use crate::subscription::Verdict;

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_opened_anew_when_what_runs_has_ended() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    world.start(world.endpoint().concurrency(1));
    let (runs, waits) = (engine.publish("", 1), engine.publish("", 2));
    pass(secs(1)).await;
    engine.fail_source();
    pass(secs(2)).await;
    assert_eq!((engine.opened(), engine.verdict(waits)), (1, Some(Verdict::Release)));
    pass(secs(4)).await;
    assert_eq!((engine.opened(), engine.closed(), engine.verdict(runs)), (2, 1, Some(Verdict::Ack)));
    assert_eq!(world.health().await.last_error.as_deref(), Some("the connection broke"));
    engine.publish("", 3);
    pass(secs(1)).await;
    assert_eq!(world.script.numbers("charge"), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_does_not_keep_a_failed_source_for_ever() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(1)).await;
    engine.fail_source();
    pass(secs(29)).await;
    assert_eq!(engine.opened(), 1);
    pass(secs(2)).await;
    assert_eq!((engine.opened(), engine.settled()), (2, vec![(1, Verdict::Release)]));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_deaf_is_opened_anew() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.be_deaf(true);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(50)).await;
    assert_eq!(engine.opened(), 1);
    pass(secs(60)).await;
    assert_eq!((engine.opened(), engine.acked()), (2, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_asked_for_anything_is_not_deaf() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 0..10 {
        world.script.say("charge", number, [Conduct::Hang]);
        engine.publish("", number);
    }
    engine.set_due(100);
    world.start(world.endpoint().concurrency(2).max_ahead(2).max_handling(secs(3_600)));
    pass(secs(600)).await;
    assert_eq!(engine.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_on_which_nothing_waits_is_not_deaf() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    pass(secs(600)).await;
    assert_eq!(engine.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_silent_is_opened_anew_with_growing_patience() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.set_heard(secs(3_600));
    world.start(world.endpoint());
    pass(secs(3)).await;
    assert!(engine.opened() >= 2, "{}", engine.opened());
    // Its patience ends at 16 minutes, which is less than the hour; the host's own pauses are what is left.
    engine.set_heard(secs(90));
    pass(secs(120)).await;
    let opened = engine.opened();
    pass(secs(600)).await;
    assert_eq!(engine.opened(), opened);
}

#[tokio::test(start_paused = true)]
async fn what_waits_elsewhere_does_not_make_a_source_deaf() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.be_deaf(true);
    engine.set_due(0);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(600)).await;
    assert_eq!((engine.opened(), world.health().await.lag), (1, Some(1)));
}
