//! What the log has of an outage.

use super::engine::{Engine, able};
use super::log::Log;
use super::world::{Conduct, GatewayDown, World, pass, secs};
use crate::endpoint::{ErrorPolicy, OnError};

const FAILED: &str = "a handler failed on a message that arrived";

#[tokio::test(start_paused = true)]
async fn what_is_not_counted_is_told_once_in_30_s_with_how_many_were_left_out() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Again(secs(10)));
    for number in 0..100 {
        world.script.say("charge", number, vec![Conduct::Down; 12]);
        engine.publish("", number);
    }
    world.start(world.endpoint().errors(policy));
    pass(secs(100)).await;
    let lines = log.with(FAILED);
    assert!(!lines[0].contains("left_out"), "{lines:#?}");
    // Those of 0 s, 10 s and 20 s, but for the one that was told.
    let left_out = [299, 299, 299].map(|number| format!("left_out={number}"));
    assert!(lines[1..].iter().zip(&left_out).all(|(line, left_out)| line.ends_with(left_out)), "{lines:#?}");
    assert_eq!((lines.len(), world.health().await.failed), (4, 1_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_is_always_told() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 0..10 {
        world.script.say("charge", number, [Conduct::Fail, Conduct::Fail]);
        engine.publish("", number);
    }
    world.start(world.endpoint());
    pass(secs(1)).await;
    let lines = log.with(FAILED);
    let counting = |failures| lines.iter().filter(|line| line.contains(&format!("failures={failures},"))).count();
    assert_eq!((lines.len(), counting(1), counting(2)), (20, 10, 10), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_told_once_in_30_s() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 0..16 {
        world.script.say("charge", number, [Conduct::Down]);
        engine.publish("", number);
    }
    world.start(world.endpoint().errors(ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(40)))));
    pass(secs(1)).await;
    assert_eq!((log.with(FAILED).len(), world.script.runs().len()), (1, 16));
}
