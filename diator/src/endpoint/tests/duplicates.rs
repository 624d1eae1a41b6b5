//! Deliveries whose message is in hand already.

use super::engine::{Engine, Trouble, able};
use super::log::Log;
use super::stores::Faulty;
use super::world::{Charge, Conduct, Post, World, millis, pass, secs};
use crate::handlers;
use crate::subscription::Verdict;

#[tokio::test(start_paused = true)]
async fn messages_of_one_id_are_handled_once_and_those_that_were_not_are_counted() {
    let (log, _listening) = Log::listen();
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(2))]);
    world.start(world.endpoint());
    for amount in 0..5 {
        // One id, and different bodies.
        let body = format!(
            r#"{{"message_type":"notification_event","message_name":"OrderPlaced","message_id":"{}","payload":{{"key":"{amount}","number":1}}}}"#,
            uuid::Uuid::nil()
        );
        engine.deliver(body.as_bytes(), |delivery| delivery);
    }
    pass(secs(3)).await;
    let health = world.health().await;
    assert_eq!((world.script.runs().len(), engine.acked().len()), (1, 5));
    assert_eq!((health.handled, health.duplicates, health.ignored), (1, 4, 0));
    let told = log.with("a second delivery of a message is acknowledged with the first");
    let names = |line: &String| line.starts_with("DEBUG ") && line.contains("messaging.message.id=00000000-");
    assert!(told.len() == 4 && told.iter().all(names), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_after_the_verdict_and_before_the_engines_answer_is_counted_too() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    engine.trouble(Trouble::Late(secs(5)));
    engine.publish("", 1);
    pass(secs(1)).await;
    engine.publish("", 1);
    pass(secs(20)).await;
    let health = world.health().await;
    assert_eq!((world.script.runs().len(), engine.acked().len()), (1, 2));
    assert_eq!((health.handled, health.duplicates), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_second_delivery_of_a_dead_letter_is_dead_and_no_duplicate() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint());
    let tags = [engine.publish("", 1), engine.publish("", 1)];
    pass(secs(1) + millis(1)).await;
    assert!(tags.iter().all(|&tag| matches!(engine.verdict(tag), Some(Verdict::DeadLetter { .. }))));
    let health = world.health().await;
    assert_eq!((health.dead, health.duplicates, health.handled), (2, 0, 0));
}

fn with_the_nil_id(number: u32) -> Vec<u8> {
    let payload = serde_json::json!({ "key": "a", "number": number });
    serde_json::json!({
        "message_type": "notification_event",
        "message_name": "OrderPlaced",
        "message_id": uuid::Uuid::nil(),
        "payload": payload,
    })
    .to_string()
    .into_bytes()
}

#[tokio::test(start_paused = true)]
async fn one_that_the_inbox_knows_is_counted_and_not_as_handled() {
    let mut world = World::stored(Engine::new(able()), handlers![Charge, Post], Faulty::default());
    world.start(world.endpoint());
    for number in 0..5 {
        world.engine.deliver(&with_the_nil_id(number), |delivery| delivery);
        pass(secs(1)).await;
    }
    let health = world.health().await;
    assert_eq!((world.script.runs().len(), world.engine.acked().len()), (2, 5));
    assert_eq!((health.handled, health.duplicates), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn one_of_which_a_handler_has_run_is_no_duplicate_although_another_process_ran_the_other_handler() {
    let inbox = Faulty::default();
    let mut one = World::stored(Engine::new(able()), handlers![Post], inbox.clone());
    let mut other = World::stored(Engine::new(able()), handlers![Charge, Post], inbox);
    one.script.say("post", 1, [Conduct::Take(secs(5))]);
    one.start(one.endpoint());
    other.start(other.endpoint());
    one.engine.publish("", 1);
    pass(secs(1)).await;
    other.engine.publish("", 1);
    pass(secs(60)).await;
    let health = other.health().await;
    assert_eq!((other.script.runs(), health.handled, health.duplicates), (vec![("charge", 1)], 1, 0));
}

#[tokio::test(start_paused = true)]
async fn messages_with_the_nil_id_are_known_by_their_places_where_the_engine_names_them() {
    let mut world = World::stored(Engine::new(able()), handlers![Charge], Faulty::default());
    world.start(world.endpoint());
    for (number, position) in [(1, "0:1"), (1, "0:1"), (2, "0:2")] {
        world.engine.deliver(&with_the_nil_id(number), |delivery| delivery.with_position(position));
        pass(secs(1)).await;
    }
    assert_eq!((world.script.numbers("charge"), world.health().await.duplicates), (vec![1, 2], 1));
}
