use super::engine::{Engine, able};
use super::world::{Charge, World, pass, secs};
use crate::endpoint::{EndpointError, OwnMessages};
use crate::host::{Host, HostError};
use crate::prelude::*;

fn world(builder: crate::MediatorBuilder) -> World {
    World::built(Engine::new(able()), builder.handlers(handlers![Charge]))
}

/// Messages of the shop, of billing itself, and of somebody who says nothing.
fn publish(world: &World) {
    for (number, sender) in [(1, Some("shop")), (2, Some("billing")), (3, None)] {
        world.engine.publish_as("OrderPlaced", "k", number, |delivery| match sender {
            Some(sender) => delivery.with_header("sender", sender),
            None => delivery,
        });
    }
}

#[tokio::test(start_paused = true)]
async fn own_messages_are_handled_unless_somebody_says_otherwise() {
    let mut world = world(Mediator::builder().sender("billing"));
    world.start(world.endpoint());
    publish(&world);
    pass(secs(1)).await;
    assert_eq!(world.script.numbers("charge").len(), 3);
    world.stop().await.expect("it ends in order");
}

#[tokio::test(start_paused = true)]
async fn own_messages_that_are_skipped_are_acknowledged_and_counted_as_ignored() {
    let mut world = world(Mediator::builder().sender("billing"));
    world.start(world.endpoint().own_messages(OwnMessages::Skip));
    publish(&world);
    pass(secs(1)).await;
    let mut numbers = world.script.numbers("charge");
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 3]);
    let health = world.health().await;
    assert_eq!((health.handled, health.ignored, health.held), (2, 1, 0));
    world.stop().await.expect("it ends in order");
}

#[tokio::test(start_paused = true)]
async fn who_skips_own_messages_needs_a_name() {
    let world = world(Mediator::builder());
    let endpoint = world.endpoint().own_messages(OwnMessages::Skip);
    let error = Host::new(world.mediator.clone()).endpoint(endpoint).run_until(async {}).await.unwrap_err();
    let HostError::Start { source, .. } = error else { panic!("{error:?}") };
    let [problem] = source.downcast_ref::<EndpointError>().expect("it is the report").problems() else {
        panic!("{source}")
    };
    let told = "endpoint `billing`: it skips the program's own messages, but the program has no name by which it could know them";
    assert_eq!(problem.text(), told);
    assert!(problem.remedy().contains("`.sender("), "{}", problem.remedy());
    let place = problem.location().expect("it is known").to_string();
    assert!(place.contains("endpoint/tests/world.rs:"), "{place}");
}
