use super::engine::{Engine, able};
use super::log::Log;
use super::world::{Charge, Conduct, GatewayDown, Post, World, millis, pass, secs};
use crate::endpoint::{EndpointState, ErrorPolicy, OnError, Order, Unknown};
use crate::handlers;
use crate::subscription::{Capabilities, Verdict};

fn patient() -> ErrorPolicy {
    ErrorPolicy::new().immediately(1).later([secs(10), secs(60)])
}

#[tokio::test(start_paused = true)]
async fn a_retry_runs_only_the_handler_that_failed() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(world.script.runs(), [("charge", 1), ("post", 1), ("charge", 1), ("charge", 1)]);
    let health = world.health().await;
    assert_eq!((engine.acked(), health.failed, health.retried, health.handled), (vec![1], 2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_goes_through_the_engine_runs_only_the_handler_that_failed() {
    let engine = Engine::new(Capabilities { extends: false, ..able() }.delayed_retry(secs(900)));
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail, Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint().errors(patient()));
    let first = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(engine.verdict(first), Some(Verdict::retry(secs(10), 2)));
    let second = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(engine.verdict(second), Some(Verdict::retry(secs(60), 3)));
    let third = engine.publish("", 1);
    pass(secs(1)).await;
    assert!(matches!(engine.verdict(third), Some(Verdict::DeadLetter { .. })));
    assert_eq!((world.script.numbers("post").len(), world.script.numbers("charge").len()), (1, 4));
    // What is settled is forgotten: whoever delivers it once more wants it handled.
    engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(world.script.numbers("post").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_one_handler_failed_with_the_engine_that_counts_does_not_count_for_another() {
    let engine = Engine::new(Capabilities { extends: false, ..able() }.delayed_retry(secs(900)).retry_counts());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail, Conduct::Fail]);
    world.script.say("post", 1, [Conduct::Down, Conduct::Fail]);
    world.start(world.endpoint().errors(patient().when::<GatewayDown>(|_| OnError::Again(secs(60)))));
    let first = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(engine.verdict(first), Some(Verdict::retry(secs(10), 2)));
    // The engine brings it with the failures of the handler that has the most.
    let second = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_failures(2));
    pass(secs(1)).await;
    assert_eq!(engine.verdict(second), Some(Verdict::retry(secs(60), 3)));
    pass(secs(60)).await;
    let third = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_failures(3));
    pass(secs(1)).await;
    assert_eq!((engine.verdict(third), world.script.numbers("post").len()), (Some(Verdict::Ack), 3));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_for_good_is_a_dead_letter_when_the_other_handlers_are_done() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail]);
    world.script.say("post", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(1)));
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(engine.dead(tag).as_deref(), Some("charge: it fails"));
    assert_eq!(world.script.numbers("post"), [1, 1]);
    assert_eq!(world.health().await.dead, 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_that_handler() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Panic]);
    world.start(world.endpoint());
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(world.script.runs(), [("charge", 1), ("post", 1), ("charge", 1)]);
    assert_eq!(engine.verdict(tag), Some(Verdict::Ack));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_message_failed_waits_and_the_others_go_on() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint().order(Order::PerKey).errors(patient()));
    for (key, number) in [("a", 1), ("a", 2), ("b", 3)] {
        engine.publish(key, number);
    }
    pass(secs(5)).await;
    assert_eq!((engine.acked(), world.health().await.resting), (vec![3], 1));
    pass(secs(10)).await;
    assert_eq!(engine.acked(), [3, 1, 2]);
    let times = world.script.times("charge", 1);
    assert!(times[2] - times[1] >= secs(10), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_counts_nothing_and_lets_one_try() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let policy = ErrorPolicy::new().immediately(0).when::<GatewayDown>(|_| OnError::Pause(secs(5)));
    for number in 0..10 {
        world.script.say("charge", number, vec![Conduct::Down; 10]);
        engine.publish("", number);
    }
    world.start(world.endpoint().errors(policy).concurrency(4));
    pass(secs(1)).await;
    assert_eq!((world.script.runs().len(), world.health().await.state), (4, EndpointState::Paused));
    // One trial each five seconds, and each time another message.
    pass(secs(18)).await;
    let tried = world.script.numbers("charge")[4..].to_vec();
    assert_eq!(tried.len(), 3);
    assert!(tried.iter().all(|number| *number >= 4), "{tried:?}");
    for number in 0..10 {
        world.script.say("charge", number, []);
    }
    pass(secs(6)).await;
    assert_eq!(engine.acked().len(), 10);
    let health = world.health().await;
    assert_eq!((health.state, health.dead, health.retried), (EndpointState::Open, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pause_outlasts_locks_and_attempts() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, vec![Conduct::Down; 120]);
    let policy = ErrorPolicy::new().immediately(0).when::<GatewayDown>(|_| OnError::Pause(secs(5)));
    world.start(world.endpoint().order(Order::PerKey).errors(policy).max_handling(secs(1)));
    engine.publish("a", 1);
    engine.publish("a", 2);
    pass(secs(599)).await;
    assert_eq!(engine.settled(), []);
    pass(secs(10)).await;
    assert_eq!((engine.acked(), world.script.numbers("charge").len()), (vec![1, 2], 122));
}

#[tokio::test(start_paused = true)]
async fn a_rule_can_try_again_uncounted_or_give_up_at_once() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, vec![Conduct::Down; 50]);
    let again = ErrorPolicy::new().immediately(0).when::<GatewayDown>(|_| OnError::Again(millis(100)));
    world.start(world.endpoint().errors(again));
    engine.publish("", 1);
    pass(secs(6)).await;
    assert_eq!((engine.acked(), world.script.numbers("charge").len()), (vec![1], 51));

    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    world.start(world.endpoint().errors(ErrorPolicy::new().when::<GatewayDown>(|_| OnError::DeadLetter)));
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    assert_eq!(engine.dead(tag).as_deref(), Some("charge: the gateway is down"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_goes_by_its_rule() {
    for (unknown, acked) in [(Unknown::Ignore, true), (Unknown::DeadLetter, false)] {
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        world.start(world.endpoint().unknown(unknown));
        let tag = engine.publish_as("Strange", "", 1, |delivery| delivery);
        pass(secs(1)).await;
        match engine.verdict(tag).expect("it is settled") {
            Verdict::Ack => assert!(acked),
            Verdict::DeadLetter { reason, .. } => assert!(!acked && reason.contains("`Strange`"), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.health().await.unknown, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_can_stop_the_endpoint() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().unknown(Unknown::Stop));
    let tag = engine.publish_as("Strange", "", 1, |delivery| delivery);
    pass(millis(50)).await;
    let health = world.health().await;
    assert_eq!((engine.verdict(tag), health.state), (Some(Verdict::Release), EndpointState::Reopening));
    assert!(health.last_error.is_some_and(|error| error.contains("`Strange`")));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_a_dead_letter_at_once() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    let garbage = engine.deliver(b"\x1b[31m", |delivery| delivery);
    let foreign = br#"{"message_type": "notification_event", "message_name": "OrderPlaced",
        "message_id": "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2", "payload": {"nothing": 1}}"#;
    let foreign = engine.deliver(foreign, |delivery| delivery);
    pass(secs(1)).await;
    for (tag, why) in [(garbage, ""), (foreign, "message payload does not fit the event: missing field `key`")] {
        let Some(Verdict::DeadLetter { reason, .. }) = engine.verdict(tag) else { panic!("{:?}", engine.settled()) };
        assert!(reason.starts_with(&format!("the message cannot be read: {why}")), "{reason}");
    }
    assert_eq!((world.script.runs(), world.health().await.dead), (Vec::new(), 2));
}

#[tokio::test(start_paused = true)]
async fn without_dead_letters_they_are_counted_and_gone() {
    let engine = Engine::new(Capabilities { dead_letters: false, ..able() });
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().without_dead_letters());
    engine.deliver(b"garbage", |delivery| delivery);
    pass(secs(1)).await;
    assert_eq!((engine.acked(), world.health().await.dead), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_driver_cannot_read_is_a_dead_letter() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_unreadable("it is too large"));
    pass(secs(1)).await;
    assert_eq!(engine.dead(tag).as_deref(), Some("the message cannot be read: it is too large"));
    assert_eq!(world.script.runs(), []);
}

#[tokio::test(start_paused = true)]
async fn failures_that_the_engine_knows_of_count() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(patient()));
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_failures(3));
    pass(secs(1)).await;
    assert_eq!(engine.dead(tag).as_deref(), Some("charge: it fails"));
}

#[tokio::test(start_paused = true)]
async fn in_order_nothing_goes_back_to_the_engine_for_a_retry() {
    let engine = Engine::new(able().delayed_retry(secs(900)));
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint().order(Order::PerKey).errors(patient()));
    engine.publish("a", 1);
    engine.publish("a", 2);
    pass(secs(9)).await;
    assert_eq!(engine.settled(), []);
    pass(secs(5)).await;
    assert_eq!(engine.acked(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_nothing_and_then_one_for_a_trial() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(5)));
    world.start(world.endpoint().errors(policy));
    let owner = crate::subscription::Ownership { partition: 1, epoch: 1 };
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(owner));
    pass(secs(1)).await;
    assert_eq!((engine.credit(), world.health().await.state), (0, EndpointState::Paused));
    // Nothing is left in hand.
    engine.lose(owner);
    pass(secs(5)).await;
    assert_eq!((engine.credit(), world.health().await.state), (1, EndpointState::Trial));
    // One that cannot be read is no trial.
    engine.deliver(b"garbage", |delivery| delivery);
    pass(secs(1)).await;
    assert_eq!(world.health().await.state, EndpointState::Trial);
    engine.publish("", 2);
    pass(secs(1)).await;
    assert_eq!((world.health().await.state, engine.credit() > 1), (EndpointState::Open, true));
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_lost_lets_another_one_try() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let owner = crate::subscription::Ownership { partition: 1, epoch: 1 };
    world.script.say("charge", 1, [Conduct::Down, Conduct::Hang]);
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(5)));
    world.start(world.endpoint().errors(policy));
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(owner));
    pass(secs(1)).await;
    let other = engine.publish("", 2);
    pass(secs(5)).await;
    assert_eq!((world.script.numbers("charge"), engine.verdict(other)), (vec![1, 1], None));
    engine.lose(owner);
    pass(secs(1)).await;
    assert_eq!((engine.verdict(other), world.health().await.state), (Some(Verdict::Ack), EndpointState::Open));
}

#[tokio::test(start_paused = true)]
async fn a_trial_whose_owner_is_revoked_lets_another_one_try() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let owner = crate::subscription::Ownership { partition: 1, epoch: 1 };
    world.script.say("charge", 1, [Conduct::Down, Conduct::Hang]);
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(5)));
    world.start(world.endpoint().errors(policy));
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(owner));
    pass(secs(1)).await;
    let other = engine.publish("", 2);
    pass(secs(5)).await;
    assert_eq!(world.health().await.state, EndpointState::Trial);
    engine.revoke(owner, secs(3));
    pass(secs(2)).await;
    // The trial may run on for as long as its owner lets it.
    assert_eq!((engine.revoked(), engine.verdict(other)), (Vec::new(), None));
    pass(secs(2)).await;
    assert_eq!((engine.revoked(), engine.verdict(other)), (vec![owner], Some(Verdict::Ack)));
    assert_eq!(
        (world.health().await.state, world.script.ended()),
        (EndpointState::Open, vec![("charge", 1), ("charge", 2)])
    );
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_message_says_how_it_ended_and_not_how_an_attempt_did() {
    for (fails, says) in [(2, 0), (3, 1)] {
        let (log, _listening) = Log::listen();
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        world.script.say("charge", 1, vec![Conduct::Fail; fails]);
        world.start(world.endpoint().errors(ErrorPolicy::new().immediately(2)));
        engine.publish("", 1);
        pass(secs(1)).await;
        assert_eq!(log.with("a handler failed on a message that arrived").len(), fails);
        assert_eq!(log.with("span, error.type=\"handlers\"").len(), says, "{:?}", log.with("span"));
        assert_eq!(log.with("span, otel.status_code=\"ERROR\"").len(), says, "{:?}", log.with("span"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_has_not_refused_its_message() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint().max_handling(secs(5)).errors(ErrorPolicy::new().immediately(0)));
    let tag = engine.publish("", 1);
    pass(secs(6)).await;
    let reason = "charge: `max_handling` cancelled the message: the message took longer than 5s";
    assert_eq!(engine.dead(tag).as_deref(), Some(reason));
}
