//! A message in hand that no count of failures brings to an end makes its host unready, and the health says why.

use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, GatewayDown, World, millis, pass, secs};
use crate::endpoint::{EndpointState, ErrorPolicy, OnError};
use crate::handlers;

/// How long a message is stuck in whole minutes, whether the host is ready, and what failed at last.
async fn seen(world: &World) -> (Option<u64>, bool, Option<String>) {
    let health = world.health().await;
    (health.stuck_seconds.map(|age| age as u64 / 60), world.is_ready().await, health.last_error)
}

#[tokio::test(start_paused = true)]
async fn a_message_that_its_inbox_does_not_let_begin() {
    for is_row in [false, true] {
        let (engine, inbox) = (Engine::new(able()), Faulty::default());
        let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        world.script.say("charge", 1, [Conduct::Fail]);
        world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0).later([secs(10)])));
        if is_row {
            engine.publish("a", 1);
            pass(secs(5)).await;
        }
        inbox.troubles(|troubles| troubles.enter = Trouble::Fails);
        engine.publish("a", if is_row { 2 } else { 3 });
        pass(secs(299)).await;
        let (age, is_ready, error) = seen(&world).await;
        assert_eq!((age, is_ready), (Some(4), true));
        assert!(error.is_some_and(|error| error.starts_with("charge: ") && error.contains("away")));
        pass(secs(10)).await;
        assert_eq!((seen(&world).await.0, world.is_ready().await), (Some(5), false));
        inbox.troubles(|troubles| troubles.enter = Trouble::None);
        pass(secs(60)).await;
        assert_eq!((seen(&world).await.0, world.is_ready().await), (None, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_handler_asks_for_a_pause_again_and_again() {
    let mut world = World::new(Engine::new(able()));
    world.script.say("charge", 1, vec![Conduct::Down; 11]);
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(30)));
    world.start(world.endpoint().errors(policy));
    world.engine.publish("a", 1);
    pass(millis(300_500)).await;
    assert_eq!(world.health().await.state, EndpointState::Paused);
    assert_eq!(seen(&world).await, (Some(5), false, Some("charge: the gateway is down".to_owned())));
    pass(secs(60)).await;
    assert_eq!((seen(&world).await.0, world.is_ready().await), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_its_store_does_not_take() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0).later([secs(10)])));
    inbox.troubles(|troubles| troubles.put = Trouble::Fails);
    engine.publish("a", 1);
    pass(secs(301)).await;
    let (age, is_ready, error) = seen(&world).await;
    assert_eq!((age, is_ready, error.is_some()), (Some(5), false, true));
    inbox.troubles(|troubles| troubles.put = Trouble::None);
    pass(secs(30)).await;
    assert_eq!((seen(&world).await.0, world.is_ready().await), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_counted_is_none_of_it() {
    let mut world = World::new(Engine::new(able()));
    world.script.say("charge", 1, vec![Conduct::Fail; 2]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0).later([secs(400), secs(400)])));
    world.engine.publish("a", 1);
    pass(secs(500)).await;
    assert_eq!(seen(&world).await, (None, true, None));
}
