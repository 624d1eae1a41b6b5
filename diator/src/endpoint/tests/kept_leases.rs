//! A store in which an open transaction keeps all others from writing, and so from extending the leases of rows.

use std::sync::Arc;

use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, World, pass, secs};
use crate::endpoint::health::EndpointMonitor;
use crate::endpoint::leased::LeasedRows;
use crate::endpoint::store::Store;
use crate::endpoint::{Endpoint, ErrorPolicy};
use crate::handlers;
use crate::subscription::Settle;

/// One handler at a time, of 100 s at most; the second attempt of order 1 hangs.
fn world_and_endpoint(inbox: &Faulty) -> (World, Endpoint) {
    let world = World::stored(Engine::new(able()), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Hang]);
    inbox.troubles(|troubles| troubles.writes_alone = true);
    let policy = ErrorPolicy::new().immediately(0).later([secs(10)]);
    let endpoint = world.endpoint().errors(policy).max_handling(secs(100)).concurrency(1);
    (world, endpoint)
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_its_time_although_its_lease_is_not_extended_meanwhile() {
    let inbox = Faulty::default();
    let (mut world, endpoint) = world_and_endpoint(&inbox);
    world.start(endpoint);
    world.engine.publish("", 1);
    pass(secs(11)).await;
    inbox.troubles(|troubles| troubles.extend = Trouble::Fails);
    pass(secs(100)).await;
    let dead = [("charge".to_owned(), 2, Some("TimedOut".to_owned()))];
    assert_eq!((inbox.shown().await, world.health().await.lock_lost), (dead.to_vec(), 0));
    assert_eq!(world.script.numbers("charge"), [1, 1]);
}

/// The first message has become a row, the second keeps the only worker for 90 s, and no lease can be extended from now on.
async fn row_behind_a_long_handler(inbox: &Faulty) -> World {
    let (mut world, endpoint) = world_and_endpoint(inbox);
    world.script.say("charge", 2, [Conduct::Take(secs(90))]);
    world.start(endpoint);
    world.engine.publish("", 1);
    pass(secs(5)).await;
    world.engine.publish("", 2);
    inbox.troubles(|troubles| troubles.extend = Trouble::Fails);
    world
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_row_that_has_waited_for_its_turn_begins_anew() {
    let inbox = Faulty::default();
    let world = row_behind_a_long_handler(&inbox).await;
    pass(secs(89)).await;
    assert_eq!(world.script.numbers("charge"), [1, 2]);
    inbox.troubles(|troubles| troubles.extend = Trouble::None);
    pass(secs(2)).await;
    inbox.troubles(|troubles| troubles.extend = Trouble::Fails);
    pass(secs(100)).await;
    let dead = [("charge".to_owned(), 2, Some("TimedOut".to_owned()))];
    assert_eq!((inbox.shown().await, world.health().await.lock_lost), (dead.to_vec(), 0));
    assert_eq!(world.script.numbers("charge"), [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn no_handler_begins_on_a_lease_that_would_end_before_it() {
    let inbox = Faulty::default();
    let world = row_behind_a_long_handler(&inbox).await;
    pass(secs(120)).await;
    assert_eq!(world.script.numbers("charge"), [1, 2]);
    // Its lease is over then, and another one begins.
    pass(secs(20)).await;
    assert_eq!((world.script.numbers("charge"), world.health().await.lock_lost), (vec![1, 2, 1], 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_not_answered_by_the_end_keeps_no_place_among_those_that_write() {
    let inbox = Faulty::default();
    let store = Arc::new(Store::new(inbox.store(), Vec::new(), 1));
    let rows = LeasedRows::new(store, EndpointMonitor::new("billing".into()), false, secs(30));
    let writer = inbox.writing.lock().await;
    rows.ask(vec!["billing".to_owned()], 1);
    rows.close().await;
    drop(writer);
    assert!(inbox.writing.try_lock().is_ok(), "it is nobody's turn");
}
