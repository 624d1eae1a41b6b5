//! What the engine delivers and what the store keeps share the places of the endpoint.

use super::engine::{Engine, able};
use super::stores::Faulty;
use super::world::{Charge, Conduct, World, pass, secs};
use crate::endpoint::ErrorPolicy;
use crate::handlers;
use crate::subscription::Verdict;

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_place_does_not_begin_after_the_stop() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Take(secs(5))]);
    let policy = ErrorPolicy::new().immediately(0).later([secs(10)]);
    world.start(world.endpoint().concurrency(1).errors(policy));
    engine.publish("", 1);
    pass(secs(12)).await;
    // The row of the first one runs.
    let waits = engine.publish("", 2);
    pass(secs(1)).await;
    world.begin_stop();
    pass(secs(1)).await;
    assert_eq!(engine.verdict(waits), Some(Verdict::Release));
    world.ended().await.expect("it ends well");
    assert_eq!((world.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 1], 0));
}
