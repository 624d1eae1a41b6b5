use super::engine::{self, Engine, able};
use super::log::Log;
use super::stores::{Faulty, Trouble};
use super::world::{Charge, Conduct, GatewayDown, Post, World, millis, pass, secs};
use crate::endpoint::{EndpointState, ErrorPolicy, OnError, Order};
use crate::handlers;
use crate::subscription::{Capabilities, Verdict};

fn later() -> ErrorPolicy {
    ErrorPolicy::new().immediately(0).later([secs(10)])
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_between_row_and_ack_leaves_one_row() {
    for order in [Order::None, Order::PerKey] {
        let inbox = Faulty::default();
        let engine = Engine::new(able());
        let mut before = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        before.script.say("charge", 1, [Conduct::Fail]);
        before.start(before.endpoint().order(order).errors(later()));
        engine.trouble(engine::Trouble::Hangs);
        engine.publish("a", 1);
        pass(secs(1)).await;
        assert_eq!((engine.acked().len(), inbox.rows().await.len()), (0, 1));
        before.crash().await;

        let engine = Engine::new(able());
        let mut after = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        after.start(after.endpoint().order(order).errors(later()));
        engine.publish("a", 1);
        engine.publish("a", 2);
        pass(secs(1)).await;
        let expected = if order == Order::PerKey { vec![] } else { vec![1, 2] };
        assert_eq!((engine.acked(), after.script.numbers("charge")), (vec![1, 2], expected));
        pass(secs(20)).await;
        assert_eq!((after.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 2], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_its_inbox_longer_than_it_may_take_has_not_failed() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0)).max_handling(secs(2)));
    inbox.troubles(|troubles| troubles.enter = Trouble::Hangs);
    let tag = engine.publish("a", 1);
    pass(secs(60)).await;
    assert_eq!((engine.verdict(tag), inbox.rows().await.len(), world.script.numbers("charge").len()), (None, 0, 0));
    inbox.troubles(|troubles| troubles.enter = Trouble::None);
    pass(secs(33)).await;
    assert_eq!((engine.verdict(tag), world.script.numbers("charge")), (Some(Verdict::Ack), vec![1]));
}

#[tokio::test(start_paused = true)]
async fn while_the_store_takes_nothing_deliveries_stay_in_hand() {
    for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::Panics] {
        let (engine, inbox) = (Engine::new(able()), Faulty::default());
        let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        world.script.say("charge", 1, [Conduct::Fail]);
        world.start(world.endpoint().order(Order::PerKey).errors(later()));
        inbox.troubles(|troubles| troubles.put = trouble);
        let first = engine.publish("a", 1);
        engine.publish("a", 2);
        engine.publish("b", 3);
        pass(secs(60)).await;
        assert_eq!((engine.acked(), world.script.numbers("charge")), (vec![3], vec![1, 3]), "{trouble:?}");
        assert!(engine.extensions(first) > 3, "{}", engine.extensions(first));
        let health = world.health().await;
        assert!(health.failed_puts > 2 && health.failed == 1 && health.held == 2, "{health:?}");
        inbox.troubles(|troubles| troubles.put = Trouble::None);
        pass(secs(16)).await;
        assert_eq!(engine.acked(), [3, 1, 2]);
        pass(secs(10)).await;
        assert_eq!((world.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 3, 1, 2], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_extended_is_lost_and_nothing_is_counted() {
    let engine = Engine::new(Capabilities { extends: false, ..able() });
    let inbox = Faulty::default();
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(later()));
    inbox.troubles(|troubles| troubles.put = Trouble::Fails);
    engine.publish("", 1);
    pass(secs(40)).await;
    assert_eq!((world.health().await.lock_lost, engine.acked().len()), (1, 0));
    engine.publish("", 1);
    pass(secs(5)).await;
    inbox.troubles(|troubles| troubles.put = Trouble::None);
    pass(secs(10)).await;
    assert_eq!((engine.acked(), world.script.numbers("charge").len()), (vec![2], 2));
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_the_store_and_not_for_ever() {
    for back in [true, false] {
        let (engine, inbox) = (Engine::new(able()), Faulty::default());
        let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        world.script.say("charge", 1, [Conduct::Fail]);
        world.script.say("charge", 2, [Conduct::Take(secs(2))]);
        world.start(world.endpoint().errors(later()));
        inbox.troubles(|troubles| troubles.put = Trouble::Fails);
        engine.publish("", 1);
        engine.publish("", 2);
        pass(secs(1)).await;
        world.begin_stop();
        pass(secs(2)).await;
        assert_eq!(engine.acked(), [2]);
        if back {
            inbox.troubles(|troubles| troubles.put = Trouble::None);
        }
        // As where the engine does not hear what became of a delivery: it comes again.
        assert_eq!(world.ended().await.is_ok(), back);
        let (acked, rows) = if back { (vec![2, 1], 1) } else { (vec![2], 0) };
        assert_eq!((engine.acked(), inbox.rows().await.len()), (acked, rows));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_fails_with_at_the_end_is_put() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("post", 1, [Conduct::Take(secs(3))]);
    world.start(world.endpoint().errors(later()));
    engine.publish("", 1);
    pass(secs(1)).await;
    world.stop().await.expect("it ends");
    assert_eq!((engine.acked(), inbox.shown().await), (vec![1], vec![("charge".to_owned(), 1, None)]));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_nothing_goes_back_before_the_row_of_its_key_is_there() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().order(Order::PerKey).errors(later()));
    inbox.troubles(|troubles| troubles.put = Trouble::Fails);
    let [_, behind, other] = [("a", 1), ("a", 2), ("b", 3)].map(|(key, number)| engine.publish(key, number));
    pass(secs(1)).await;
    world.begin_stop();
    pass(secs(1)).await;
    assert_eq!((engine.verdict(behind), engine.verdict(other)), (None, Some(Verdict::Ack)));
    inbox.troubles(|troubles| troubles.put = Trouble::None);
    pass(secs(5)).await;
    assert_eq!((engine.acked(), engine.verdict(behind)), (vec![3, 1], Some(Verdict::Release)));
    world.ended().await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn rows_that_a_stop_interrupts_go_back_and_those_of_a_crash_come_when_their_lease_is_over() {
    for crashes in [false, true] {
        let (engine, inbox) = (Engine::new(able()), Faulty::default());
        let mut before = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        before.script.say("charge", 1, [Conduct::Fail, Conduct::Hang]);
        before.start(before.endpoint().errors(later()));
        engine.publish("", 1);
        pass(secs(12)).await;
        assert_eq!(before.script.numbers("charge").len(), 2);
        if crashes {
            before.crash().await;
        } else {
            before.stop().await.expect("it ends");
        }
        let mut after = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        after.start(after.endpoint().errors(later()));
        pass(secs(2)).await;
        assert_eq!(after.script.numbers("charge").len(), usize::from(!crashes));
        pass(secs(40)).await;
        assert_eq!((after.script.numbers("charge").len(), inbox.rows().await.len()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_ended_three_processes_is_a_dead_letter() {
    let inbox = Faulty::default();
    for crashes in 0..5 {
        let engine = Engine::new(able());
        let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        world.script.say("charge", 1, [Conduct::Hang]);
        if crashes == 0 {
            world.script.say("charge", 1, [Conduct::Fail, Conduct::Hang]);
            engine.publish("", 1);
        }
        world.start(world.endpoint().errors(later()));
        pass(secs(50)).await;
        let dead = inbox.shown().await == [("charge".to_owned(), 1, Some("Poison".to_owned()))];
        // The first one was no redelivery, and the log does not know of it.
        assert_eq!((dead, world.script.runs().len()), (crashes == 4, [2, 1, 1, 1, 0][crashes]), "{crashes}");
        world.crash().await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_leases_nothing_the_engine_is_served_and_afterwards_both_are() {
    for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::Panics] {
        let (log, _listening) = Log::listen();
        let (engine, inbox) = (Engine::new(able()), Faulty::default());
        let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
        world.script.say("charge", 1, [Conduct::Fail]);
        world.start(world.endpoint().errors(later()));
        inbox.troubles(|troubles| troubles.lease = trouble);
        engine.publish("", 1);
        pass(secs(60)).await;
        engine.publish("", 2);
        pass(secs(1)).await;
        assert_eq!((world.script.numbers("charge"), engine.acked()), (vec![1, 2], vec![1, 2]));
        assert!(world.health().await.last_error.is_some() && inbox.seen().leases < 120, "{}", inbox.seen().leases);
        inbox.troubles(|troubles| troubles.lease = Trouble::None);
        assert_eq!(log.with("the delivery store answers again").len(), 0);
        pass(secs(12)).await;
        assert_eq!(log.with("the delivery store answers again").len(), 1);
        assert_eq!((world.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 2, 1], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_hear_what_became_of_a_row_lets_no_effect_happen_twice() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(later()));
    engine.publish("", 1);
    pass(secs(5)).await;
    inbox.troubles(|troubles| troubles.settle = Trouble::Fails);
    pass(secs(200)).await;
    assert_eq!((world.script.numbers("charge").len(), inbox.rows().await.len()), (2, 1));
    inbox.troubles(|troubles| troubles.settle = Trouble::None);
    pass(secs(60)).await;
    assert_eq!((world.script.numbers("charge").len(), inbox.rows().await.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idle_store_is_seldom_asked() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0)));
    engine.publish("", 1);
    pass(secs(100)).await;
    let asked = inbox.seen().leases;
    assert!((20..=45).contains(&asked), "{asked}");
    assert_eq!(inbox.replay().await, 1);
    pass(millis(100)).await;
    assert_eq!(world.script.numbers("charge").len(), 2, "a replay is heard of at once");
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_the_inbox_does_not_let_in_ends_no_pause() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge], inbox.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    let policy = ErrorPolicy::new().when::<GatewayDown>(|_| OnError::Pause(secs(5)));
    world.start(world.endpoint().errors(policy));
    engine.publish("", 1);
    pass(secs(1)).await;
    engine.publish("", 2);
    inbox.troubles(|troubles| troubles.enter = Trouble::Fails);
    pass(secs(10)).await;
    assert_eq!((world.script.numbers("charge"), world.health().await.state), (vec![1], EndpointState::Trial));
    inbox.troubles(|troubles| troubles.enter = Trouble::None);
    pass(secs(40)).await;
    assert_eq!((engine.acked().len(), world.health().await.state), (2, EndpointState::Open));
}
