//! A message that another transaction is handling.

use super::engine::{Engine, able};
use super::log::Log;
use super::stores::Faulty;
use super::world::{Charge, Conduct, GatewayDown, World, pass, secs};
use crate::endpoint::{EndpointState, ErrorPolicy, OnError};
use crate::handlers;
use crate::subscription::Ownership;

#[tokio::test(start_paused = true)]
async fn a_handler_that_could_not_begin_has_not_failed() {
    let inbox = Faulty::default();
    let world = || World::stored(Engine::new(able()), handlers![Charge], inbox.clone());
    let (mut one, mut other) = (world(), world());
    one.script.say("charge", 1, [Conduct::Take(secs(5))]);
    one.start(one.endpoint());
    one.engine.publish("", 1);
    pass(secs(1)).await;
    let (log, _listening) = Log::listen();
    other.start(other.endpoint());
    other.engine.publish("", 1);
    pass(secs(3)).await;
    let health = other.health().await;
    assert!(health.busy > 3 && health.resting == 1, "{health:?}");
    assert_eq!((health.failed, health.retried, other.script.runs()), (0, 0, vec![]));
    let told = log.with("another transaction is handling a message that arrived");
    assert_eq!(told.len() as u64, health.busy);
    assert!(told.iter().all(|line| line.contains("handler=charge")), "{told:?}");
    let (first, others) = told.split_first().expect("it is told");
    assert!(first.starts_with("INFO") && others.iter().all(|line| line.starts_with("DEBUG")), "{told:?}");
    assert_eq!(log.with("failed"), [""; 0]);
    pass(secs(6)).await;
    assert_eq!((other.engine.acked(), one.engine.acked(), other.script.runs()), (vec![1], vec![1], vec![]));
}

#[tokio::test(start_paused = true)]
async fn it_is_no_trial_of_an_outage() {
    let inbox = Faulty::default();
    let world = || World::stored(Engine::new(able()), handlers![Charge], inbox.clone());
    let (mut one, mut other) = (world(), world());
    one.script.say("charge", 1, [Conduct::Take(secs(60))]);
    one.start(one.endpoint());
    one.engine.publish("", 1);
    other.script.say("charge", 2, [Conduct::Down]);
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(10)));
    other.start(other.endpoint().errors(policy));
    let owner = Ownership { partition: 1, epoch: 1 };
    other.engine.publish_as("OrderPlaced", "", 2, |delivery| delivery.with_owner(owner));
    pass(secs(1)).await;
    other.engine.lose(owner);
    other.engine.publish("", 1);
    pass(secs(15)).await;
    let health = other.health().await;
    assert_eq!((health.state, health.held), (EndpointState::Trial, 1), "{health:?}");
}
