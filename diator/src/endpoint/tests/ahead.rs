//! What was handed to the workers, and has not begun, is as if it had not been.

use super::engine::{Engine, able};
use super::world::{Conduct, World, pass, secs};
use crate::endpoint::Order;
use crate::subscription::{Ownership, Verdict};

const ONE: Ownership = Ownership { partition: 1, epoch: 1 };

/// One runs for five seconds, on the only worker, and two wait for it.
fn busy(world: &mut World) {
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    world.start(world.endpoint().order(Order::None).concurrency(1));
    for number in [1, 2] {
        world.engine.publish_as("OrderPlaced", "", number, |delivery| delivery.with_owner(ONE));
    }
    world.engine.publish("", 3);
}

#[tokio::test(start_paused = true)]
async fn it_goes_back_when_its_owner_is_revoked() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    busy(&mut world);
    pass(secs(1)).await;
    assert_eq!(world.health().await.running, 1);
    engine.revoke(ONE, secs(10));
    pass(secs(1)).await;
    assert_eq!((engine.settled(), engine.revoked()), (vec![(2, Verdict::Release)], vec![]));
    pass(secs(5)).await;
    assert_eq!((world.script.numbers("charge"), engine.acked(), engine.revoked()), (vec![1, 3], vec![1, 3], vec![ONE]));
}

#[tokio::test(start_paused = true)]
async fn it_never_begins_when_its_owner_is_lost() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    busy(&mut world);
    pass(secs(1)).await;
    engine.lose(ONE);
    pass(secs(6)).await;
    assert_eq!((world.script.numbers("charge"), engine.acked()), (vec![1, 3], vec![3]));
}

#[tokio::test(start_paused = true)]
async fn it_begins_in_its_place_when_others_were_lost() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    world.start(world.endpoint().order(Order::None).concurrency(1));
    // It shows how little time a message takes, so that more are taken at once.
    engine.publish("", 0);
    pass(secs(1)).await;
    for number in 1..=3 {
        engine.publish("", number);
    }
    engine.publish_as("OrderPlaced", "", 4, |delivery| delivery.with_owner(ONE));
    for number in 5..=7 {
        engine.publish("", number);
    }
    pass(secs(1)).await;
    engine.lose(ONE);
    pass(secs(6)).await;
    assert_eq!(world.script.numbers("charge"), [0, 1, 2, 3, 5, 6, 7]);
}
