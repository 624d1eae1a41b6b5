use super::engine::{Engine, able};
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, GatewayDown, Post, World, millis, pass, secs};
use crate::deliveries::{DeadReason, DeliveryFilter, DeliveryState, WHOLE_MESSAGE};
use crate::endpoint::{ErrorPolicy, OnDead, OnError, Order, Unknown};
use crate::handlers;
use crate::subscription::{Capabilities, Redelivered, Verdict};

const LATER: [std::time::Duration; 2] = [secs(10), secs(60)];

fn patient() -> ErrorPolicy {
    ErrorPolicy::new().immediately(1).later(LATER)
}

fn row(handler: &str, failures: u32, kind: Option<&str>) -> (String, u32, Option<String>) {
    (handler.to_owned(), failures, kind.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_handled_later_waits_in_the_store_and_the_engine_hears_that_it_is_done() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail, Conduct::Panic]);
    world.start(world.endpoint().errors(patient()));
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((engine.acked(), inbox.shown().await), (vec![1], vec![row("charge", 2, None)]));
    let last_failure = async || inbox.rows().await[0].delivery.last_failure.clone();
    assert_eq!(last_failure().await, Some(DeadReason::new("Handler", "it fails")));
    pass(secs(10)).await;
    assert_eq!((world.script.numbers("charge").len(), inbox.shown().await), (3, vec![row("charge", 3, None)]));
    assert_eq!(last_failure().await, Some(DeadReason::new("Handler", "it panicked: it panics")));
    pass(secs(60)).await;
    let times = world.script.times("charge", 1);
    assert!(times[2] - times[1] >= secs(10) && times[2] - times[1] < millis(10_100), "{times:?}");
    assert!(times[3] - times[2] >= secs(60) && times[3] - times[2] < millis(60_100), "{times:?}");
    assert_eq!((world.script.numbers("post").len(), inbox.shown().await), (1, vec![]));
    let health = world.health().await;
    assert_eq!((health.handled, health.failed, health.retried, health.dead, health.held), (1, 3, 3, 0, 0));
    world.stop().await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_good_is_a_dead_letter_for_its_handler_alone() {
    let (engine, inbox) = (Engine::new(Capabilities { dead_letters: false, ..able() }), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("post", 1, [Conduct::Fail, Conduct::Hang]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(1)).max_handling(secs(2)));
    engine.publish("", 1);
    pass(secs(5)).await;
    assert_eq!((engine.acked(), inbox.shown().await), (vec![1], vec![row("post", 2, Some("TimedOut"))]));
    assert_eq!((world.script.numbers("charge").len(), world.health().await.dead), (1, 1));
    // Whoever brings it again brings nothing new.
    engine.publish("", 1);
    pass(secs(5)).await;
    assert_eq!((engine.acked(), inbox.shown().await.len()), (vec![1, 2], 1));
    assert_eq!((world.script.numbers("post").len(), world.script.numbers("charge").len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_kept_although_another_handler_succeeds_after_it() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    world.script.say("post", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(patient().when::<GatewayDown>(|_| OnError::DeadLetter)));
    engine.publish("", 1);
    pass(secs(5)).await;
    assert_eq!((engine.acked(), world.script.numbers("post").len()), (vec![1], 2));
    assert_eq!(inbox.shown().await, [row("charge", 1, Some("Handler"))]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_no_store_took_before_the_engine_was_cut_is_kept_afterwards() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    world.start(world.endpoint().errors(patient().when::<GatewayDown>(|_| OnError::DeadLetter)));
    inbox.troubles(|troubles| troubles.put = Trouble::Fails);
    engine.publish("", 1);
    pass(secs(2)).await;
    engine.fail_source();
    pass(secs(60)).await;
    assert_eq!((engine.acked(), inbox.shown().await), (vec![], vec![]));
    inbox.troubles(|troubles| troubles.put = Trouble::None);
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    pass(secs(60)).await;
    assert_eq!(
        (inbox.shown().await, world.script.numbers("charge").len()),
        (vec![row("charge", 1, Some("Handler"))], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_replayed_as_often_as_an_operator_says() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("post", 1, [Conduct::Fail, Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0).later([secs(10)])));
    engine.publish("", 1);
    pass(secs(20)).await;
    assert_eq!(inbox.shown().await, [row("post", 2, Some("Handler"))]);
    assert_eq!(inbox.replay().await, 1);
    pass(secs(1)).await;
    assert_eq!(inbox.shown().await, [row("post", 1, None)], "its failures are counted anew");
    assert_eq!(inbox.rows().await[0].delivery.generation, 1);
    pass(secs(10)).await;
    assert_eq!((inbox.shown().await, world.script.numbers("post").len()), (vec![], 4));
    assert_eq!((inbox.replay().await, world.script.numbers("charge").len()), (0, 1));
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!((world.script.runs().len(), engine.acked()), (5, vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_fails_again_is_a_dead_letter_again() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Panic]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0)));
    engine.publish("", 1);
    pass(secs(1)).await;
    for generation in 1..3 {
        assert_eq!(inbox.replay().await, 1);
        pass(secs(1)).await;
        let dead: Vec<_> = inbox.rows().await.iter().map(|row| row.delivery.generation).collect();
        assert_eq!(dead, if generation == 1 { vec![1] } else { vec![] });
    }
    assert_eq!(world.script.numbers("charge").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn later_messages_of_a_key_wait_behind_one_in_the_store_and_other_keys_go_on() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint().order(Order::PerKey).errors(patient()));
    for (key, number) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
        engine.publish(key, number);
    }
    pass(secs(1)).await;
    assert_eq!(world.script.numbers("charge"), [1, 3, 1]);
    assert_eq!((engine.acked().len(), inbox.rows().await.len()), (4, 3), "the engine has nothing left to do");
    engine.publish("a", 5);
    pass(secs(10)).await;
    assert_eq!(world.script.numbers("charge"), [1, 3, 1, 1, 2, 4, 5]);
    engine.publish("a", 6);
    pass(secs(1)).await;
    assert_eq!((world.script.numbers("charge").last(), inbox.rows().await.len()), (Some(&6), 0));
    assert_eq!(world.health().await.failed, 2, "who waits for his turn has not failed");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_parks_its_key_or_lets_it_go_on() {
    for on_dead in [OnDead::Park, OnDead::Continue] {
        let (engine, inbox) = (Engine::new(able()), Faulty::default());
        let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
        world.script.say("post", 1, [Conduct::Fail, Conduct::Fail]);
        let policy = ErrorPolicy::new().immediately(1).on_dead(on_dead);
        world.start(world.endpoint().order(Order::PerKey).errors(policy));
        for (key, number) in [("a", 1), ("a", 2), ("b", 3)] {
            engine.publish(key, number);
        }
        pass(secs(60)).await;
        let parks = on_dead == OnDead::Park;
        assert_eq!(world.script.numbers("charge"), if parks { vec![1, 3] } else { vec![1, 3, 2] });
        let kept = world.health().await.kept.expect("it has a store");
        assert_eq!((kept.waiting, kept.parked, kept.dead), if parks { (2, 2, 1) } else { (0, 0, 1) });
        assert_eq!(inbox.replay().await, 1);
        pass(secs(1)).await;
        let order = if parks { [1, 3, 1, 1, 2] } else { [1, 3, 1, 2, 1] };
        assert_eq!((world.script.numbers("post"), inbox.rows().await.len()), (order.to_vec(), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_key_goes_on_when_its_dead_letter_is_discarded() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    let policy = ErrorPolicy::new().immediately(0).on_dead(OnDead::Park);
    world.start(world.endpoint().order(Order::PerKey).errors(policy));
    engine.publish("a", 1);
    engine.publish("a", 2);
    pass(secs(60)).await;
    assert_eq!(world.script.numbers("charge"), [1]);
    assert_eq!(inbox.store().discard(&DeliveryFilter::dead()).await.expect("memory answers"), 1);
    engine.publish("a", 3);
    pass(secs(10)).await;
    assert_eq!(world.script.numbers("charge"), [1, 2, 3]);
    engine.publish("a", 1);
    pass(secs(10)).await;
    assert_eq!((world.script.numbers("charge").len(), inbox.rows().await.len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn messages_that_nobody_can_begin_are_dead_letters_as_a_whole() {
    let (engine, inbox) = (Engine::new(Capabilities { dead_letters: false, ..able() }), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.start(world.endpoint().unknown(Unknown::DeadLetter));
    engine.deliver(b"no message", |delivery| delivery.with_position("0:1"));
    engine.deliver(b"no message", |delivery| delivery.with_position("0:1"));
    engine.deliver(b"no message", |delivery| delivery);
    engine.publish_as("Strange", "", 1, |delivery| delivery);
    engine.publish_as("OrderPlaced", "", 2, |delivery| delivery.with_unreadable("it is too large"));
    engine.publish("", 3);
    pass(secs(1)).await;
    let unreadable = || row(WHOLE_MESSAGE, 0, Some("Unreadable"));
    let expected = [unreadable(), unreadable(), row(WHOLE_MESSAGE, 0, Some("Unknown")), unreadable()];
    assert_eq!((engine.acked().len(), inbox.shown().await), (6, expected.to_vec()));
    assert_eq!(inbox.rows().await[2].delivery.name.as_deref(), Some("Strange"));
    assert_eq!(inbox.replay().await, 4);
    pass(secs(5)).await;
    // The driver is not asked again: what it called too large can be read.
    assert_eq!((inbox.shown().await, world.script.numbers("charge")), (expected[..3].to_vec(), vec![3, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_whole_message_that_is_replayed_runs_each_handler_that_is_not_done() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let log = crate::Inbox::attempt_log(&inbox).expect("memory has a log");
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("post", 1, [Conduct::Fail]);
    for _ in 0..3 {
        log.begin("billing", &[uuid::Uuid::from_u128(2)]).await.expect("memory answers");
    }
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0).later([secs(10)])));
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    pass(secs(1)).await;
    assert_eq!((engine.acked(), inbox.shown().await), (vec![1], vec![row(WHOLE_MESSAGE, 0, Some("Poison"))]));
    assert_eq!((world.script.runs(), inbox.replay().await), (vec![], 1));
    pass(secs(1)).await;
    assert_eq!(inbox.shown().await, [row(WHOLE_MESSAGE, 1, None)]);
    pass(secs(10)).await;
    assert_eq!(world.script.runs(), [("charge", 1), ("post", 1), ("post", 1)]);
    assert!(inbox.rows().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_old_can_be_replayed() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.start(world.endpoint());
    let old = serde_json::json!({
        "message_type": "notification_event",
        "message_name": "OrderPlaced",
        "message_id": "01800000-0000-7000-8000-000000000000",
        "payload": { "key": "a", "number": 7 },
    });
    engine.deliver(old.to_string().as_bytes(), |delivery| delivery);
    pass(secs(1)).await;
    assert_eq!(inbox.shown().await, [row(WHOLE_MESSAGE, 0, Some("TooOld"))]);
    let DeliveryState::Dead { reason, .. } = &inbox.rows().await[0].state else { panic!("it is dead") };
    assert!(reason.text.starts_with("the message was made "), "its kind stands beside it: {reason:?}");
    assert_eq!((world.script.runs().len(), inbox.replay().await), (0, 1));
    pass(secs(1)).await;
    assert_eq!((world.script.numbers("charge"), inbox.rows().await.len()), (vec![7], 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_without_an_id_is_known_by_its_place() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.start(world.endpoint());
    let body = |number: u32| {
        let payload = serde_json::json!({ "key": "a", "number": number });
        serde_json::json!({ "message_type": "notification_event", "message_name": "OrderPlaced", "payload": payload })
    };
    for (number, position) in [(1, "0:1"), (1, "0:1"), (2, "0:2")] {
        engine.deliver(body(number).to_string().as_bytes(), |delivery| delivery.with_position(position));
        pass(secs(1)).await;
    }
    assert_eq!(world.script.numbers("charge"), [1, 2]);
    engine.deliver(body(3).to_string().as_bytes(), |delivery| delivery);
    pass(secs(1)).await;
    assert_eq!((world.script.numbers("charge").len(), inbox.shown().await.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn both_openings_together_run_no_more_than_the_endpoint_may() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    for number in 1..=20 {
        world.script.say("charge", number, [Conduct::Fail, Conduct::Take(secs(3))]);
        engine.publish("", number);
        world.script.say("charge", 100 + number, [Conduct::Take(secs(3))]);
    }
    world.start(world.endpoint().concurrency(4).errors(ErrorPolicy::new().immediately(0).later([secs(5)])));
    pass(secs(4)).await;
    for number in 1..=20 {
        engine.publish("", 100 + number);
    }
    pass(secs(60)).await;
    assert_eq!((world.script.most_running(), world.script.runs().len()), (4, 60));
    assert_eq!((engine.acked().len(), inbox.rows().await.len()), (40, 0));
    assert_eq!(world.health().await.handled, 40);
}

#[tokio::test(start_paused = true)]
async fn a_row_of_a_handler_that_is_gone_is_a_dead_letter() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut before = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    before.script.say("post", 1, [Conduct::Fail]);
    let policy = || ErrorPolicy::new().immediately(0).later([secs(10)]);
    before.start(before.endpoint().errors(policy()));
    engine.publish("", 1);
    pass(secs(1)).await;
    before.stop().await.expect("it ends");
    let mut after = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    after.start(after.endpoint().errors(policy()));
    pass(secs(20)).await;
    assert_eq!((inbox.shown().await, after.script.runs().len()), (vec![row("post", 1, Some("NoHandler"))], 0));
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_delivers_and_what_the_store_keeps_pause_apart() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("charge", 2, [Conduct::Down]);
    let policy = ErrorPolicy::new().immediately(0).later([secs(10)]);
    world.start(world.endpoint().errors(policy.when::<GatewayDown>(|_| OnError::Pause(secs(30)))));
    engine.publish("", 1);
    pass(secs(5)).await;
    engine.publish("", 2);
    pass(secs(10)).await;
    assert_eq!((world.script.numbers("charge"), inbox.shown().await), (vec![1, 2, 1], vec![]));
    pass(secs(30)).await;
    assert_eq!(world.script.numbers("charge"), [1, 2, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn without_dead_letters_nothing_is_kept_of_them() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("post", 1, [Conduct::Fail, Conduct::Fail]);
    let policy = ErrorPolicy::new().immediately(0).later([secs(10)]);
    world.start(world.endpoint().errors(policy).without_dead_letters());
    engine.publish("", 1);
    engine.deliver(b"no message", |delivery| delivery);
    pass(secs(1)).await;
    assert_eq!(
        (engine.verdict(crate::subscription::DeliveryTag(2)), inbox.rows().await.len()),
        (Some(Verdict::Ack), 2)
    );
    pass(secs(20)).await;
    assert_eq!((inbox.rows().await.len(), world.health().await.dead), (0, 2));
}
