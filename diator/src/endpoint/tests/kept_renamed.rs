//! What is kept under a former name of an endpoint is handled, counted, and keeps the order of its keys.

use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, Post, World, millis, pass, secs};
use crate::endpoint::{Endpoint, ErrorPolicy, OnDead, Order};
use crate::handlers;

fn policy() -> ErrorPolicy {
    ErrorPolicy::new().immediately(0).later([secs(60)])
}

fn renamed(engine: &Engine) -> Endpoint {
    let endpoint = Endpoint::new("bills", engine.clone()).topics(["orders"]).formerly("billing");
    endpoint.order(Order::PerKey).errors(policy())
}

/// The endpoint `billing` has kept message 1 of the key `a`, and has ended.
async fn kept(engine: &Engine, inbox: &Faulty, policy: ErrorPolicy, conduct: Conduct) {
    let mut before = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    before.script.say("charge", 1, [conduct]);
    before.start(before.endpoint().order(Order::PerKey).errors(policy));
    engine.publish("a", 1);
    pass(secs(1)).await;
    before.stop().await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn rows_under_a_former_name_are_handled() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut before = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    before.script.say("charge", 1, [Conduct::Fail]);
    before.start(before.endpoint().errors(policy()));
    engine.publish("", 1);
    pass(secs(1)).await;
    before.stop().await.expect("it ends");
    let mut after = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    after.start(Endpoint::new("bills", engine.clone()).topics(["orders"]).formerly("billing").errors(policy()));
    pass(secs(62)).await;
    assert_eq!((after.script.numbers("charge"), inbox.rows().await.len()), (vec![1], 0));
}

#[tokio::test(start_paused = true)]
async fn a_new_name_keeps_the_order_of_a_key() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    kept(&engine, &inbox, policy(), Conduct::Fail).await;
    let mut after = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    after.script.say("post", 2, [Conduct::Fail]);
    after.start(renamed(&engine));
    for number in 2..=3 {
        engine.publish("a", number);
    }
    engine.publish("b", 4);
    pass(secs(40)).await;
    assert_eq!((after.script.numbers("charge"), after.script.numbers("post")), (vec![4], vec![4]));
    assert_eq!(after.health().await.kept.map(|kept| kept.waiting), Some(5), "of both messages, and the first");
    assert!(inbox.rows().await.iter().all(|row| *row.delivery.endpoint == *"billing"));
    pass(secs(120)).await;
    assert_eq!(after.script.numbers("charge"), [4, 1, 2, 3]);
    assert_eq!(after.script.numbers("post"), [4, 2, 2, 3]);
    assert_eq!(inbox.rows().await.len(), 0);
    // Nothing holds the key under the former name any more: what fails now is kept under the present one.
    after.script.say("charge", 5, [Conduct::Fail]);
    engine.publish("a", 5);
    pass(secs(1)).await;
    assert!(inbox.rows().await.iter().any(|row| *row.delivery.endpoint == *"bills"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_under_a_former_name_parks_its_key() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let parks = || ErrorPolicy::new().immediately(0).on_dead(OnDead::Park);
    kept(&engine, &inbox, parks(), Conduct::Fail).await;
    let mut after = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    after.start(renamed(&engine).errors(parks()));
    engine.publish("a", 2);
    pass(secs(60)).await;
    assert!(after.script.numbers("charge").is_empty());
    assert_eq!(after.health().await.kept.map(|kept| (kept.dead, kept.parked)), Some((1, 2)));
    assert_eq!(inbox.replay().await, 1);
    pass(secs(20)).await;
    assert_eq!((after.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 2], 0));
}

#[tokio::test(start_paused = true)]
async fn the_rows_of_a_message_get_one_name() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    kept(&engine, &inbox, policy(), Conduct::Fail).await;
    let mut after = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    after.start(renamed(&engine));
    // Before the first handler begins, and for the first row: then the row that holds the key is handled.
    inbox.troubles(|troubles| troubles.held_for = Some(2));
    engine.publish("a", 2);
    pass(millis(10)).await;
    let names: Vec<_> = inbox.rows().await.into_iter().map(|row| row.delivery.endpoint).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["billing"; 2]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_key_begins_or_is_counted_while_the_store_does_not_say_who_holds_it() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    kept(&engine, &inbox, policy(), Conduct::Fail).await;
    let mut after = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    inbox.troubles(|troubles| troubles.is_held = Trouble::Fails);
    after.start(renamed(&engine));
    engine.publish("a", 2);
    pass(secs(30)).await;
    assert_eq!((after.script.runs().len(), after.health().await.dead), (0, 0));
    inbox.troubles(|troubles| troubles.is_held = Trouble::None);
    pass(secs(120)).await;
    assert_eq!((after.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 2], 0));
}
