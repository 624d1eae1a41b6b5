use std::collections::BTreeSet;

use super::engine::{Engine, able};
use super::world::{Alarm, Charge, Conduct, Post, Refund, World, millis, pass, secs};
use crate::endpoint::{Endpoint, Order};
use crate::handlers;
use crate::subscription::{Capabilities, Verdict};

#[tokio::test(start_paused = true)]
async fn what_comes_is_handled_and_acknowledged() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.start(world.endpoint());
    engine.publish("a", 1);
    engine.publish("", 2);
    pass(secs(1)).await;
    assert_eq!(world.script.runs(), [("charge", 1), ("post", 1), ("charge", 2), ("post", 2)]);
    let mut acked = engine.acked();
    acked.sort_unstable();
    assert_eq!(acked, [1, 2]);
    let health = world.health().await;
    assert_eq!((health.handled, health.held, health.lag), (2, 0, Some(0)));
    world.stop().await.expect("it ends well");
    assert_eq!((engine.opened(), engine.closed()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_may() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 0..100 {
        world.script.say("charge", number, [Conduct::Take(secs(1))]);
        engine.publish("", number);
    }
    world.start(world.endpoint().concurrency(4));
    pass(secs(30)).await;
    assert_eq!((world.script.most_running(), engine.acked().len()), (4, 100));
}

#[tokio::test(start_paused = true)]
async fn no_more_are_taken_than_are_handled_in_a_tenth_of_the_lock() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 0..200 {
        world.script.say("charge", number, [Conduct::Take(secs(1))]);
        engine.publish("", number);
    }
    world.start(world.endpoint().concurrency(4));
    pass(secs(20)).await;
    // Four run, and four workers finish twelve in a tenth of 30 s.
    assert!(world.health().await.held <= 16, "{:?}", world.health().await);
    assert!(engine.largest_credit() <= 16, "{}", engine.largest_credit());
}

#[tokio::test(start_paused = true)]
async fn where_a_lock_lasts_as_many_are_taken_as_may_be() {
    let engine = Engine::new(Capabilities { lock: None, extends: false, ..able() });
    let mut world = World::new(engine.clone());
    for number in 0..200 {
        world.script.say("charge", number, [Conduct::Hang]);
        engine.publish("", number);
    }
    world.start(world.endpoint().concurrency(4).max_ahead(50));
    pass(secs(1)).await;
    assert_eq!((world.health().await.held, world.script.runs().len()), (50, 4));
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_key_are_handled_one_after_the_other_and_keys_do_not_wait() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(10))]);
    world.start(world.endpoint().order(Order::PerKey));
    for (key, number) in [("slow", 1), ("slow", 2), ("a", 3), ("b", 4), ("a", 5), ("", 6)] {
        engine.publish(key, number);
    }
    pass(secs(5)).await;
    let mut before = world.script.numbers("charge");
    before.sort_unstable();
    assert_eq!(before, [1, 3, 4, 5, 6]);
    pass(secs(10)).await;
    assert_eq!(world.script.numbers("charge").last(), Some(&2));
    assert_eq!(engine.acked().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn one_slow_key_among_a_thousand_holds_no_other_up() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 0, [Conduct::Take(secs(100))]);
    world.start(world.endpoint().order(Order::PerKey).concurrency(32));
    for number in 0..3_000 {
        engine.publish(&format!("key-{}", number % 1_000), number);
    }
    pass(secs(10)).await;
    let handled: BTreeSet<_> = world.script.numbers("charge").into_iter().collect();
    assert_eq!((0..3_000).filter(|number| !handled.contains(number)).collect::<Vec<_>>(), [1_000, 2_000]);
    pass(secs(100)).await;
    assert_eq!(engine.acked().len(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn thirty_two_workers_run_the_messages_of_one_key_one_after_the_other() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in 0..200 {
        world.script.say("charge", number, [Conduct::Take(millis(10))]);
        engine.publish("key", number);
    }
    world.start(world.endpoint().order(Order::PerKey).concurrency(32));
    pass(secs(10)).await;
    assert_eq!((world.script.numbers("charge"), world.script.most_running()), ((0..200).collect(), 1));
    assert_eq!(engine.acked().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn order_per_key_holds_with_retries() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    for number in (0..60).step_by(7) {
        world.script.say("charge", number, [Conduct::Fail, Conduct::Panic]);
    }
    for number in 0..60 {
        engine.publish(["a", "b", "c"][number as usize % 3], number);
    }
    world.start(world.endpoint().order(Order::PerKey).concurrency(8));
    pass(secs(60)).await;
    assert_eq!(engine.acked().len(), 60);
    for key in 0..3 {
        let mut of_key: Vec<_> =
            world.script.numbers("charge").into_iter().filter(|number| number % 3 == key).collect();
        of_key.dedup();
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_runs_its_own_handlers_and_counts_what_is_for_none_of_them() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Refund]);
    let refunds = Endpoint::new("refunds", Engine::new(able())).handlers(handlers![Refund]);
    world.start_all([world.endpoint().handlers(handlers![Charge]), refunds]);
    engine.publish("a", 1);
    engine.publish_as("OrderCancelled", "a", 2, |delivery| delivery);
    pass(secs(1)).await;
    let mut acked = engine.acked();
    acked.sort_unstable();
    let health = world.health().await;
    assert_eq!((world.script.runs(), acked), (vec![("charge", 1)], vec![1, 2]));
    assert_eq!((health.handled, health.ignored, health.unknown), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_runs_and_what_waits_is_extended_from_its_receipt() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(100))]);
    world.start(world.endpoint().concurrency(1));
    let (runs, waits) = (engine.publish("", 1), engine.publish("", 2));
    pass(secs(95)).await;
    assert_eq!((engine.extensions(runs), engine.extensions(waits)), (9, 9));
    pass(secs(10)).await;
    assert_eq!(engine.acked(), [1, 2]);
    pass(secs(100)).await;
    assert!(engine.extensions(waits) <= 10);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_lost_is_forgotten_and_nothing_of_it_is_settled() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(60))]);
    world.start(world.endpoint());
    let lost = engine.publish("", 1);
    pass(secs(1)).await;
    engine.take_lock(lost);
    pass(secs(20)).await;
    let health = world.health().await;
    assert_eq!((health.lock_lost, health.held, health.running), (1, 1, 1));
    pass(secs(60)).await;
    assert_eq!((engine.settled(), world.health().await.held), (Vec::new(), 0));
    assert_eq!(world.script.ended(), [("charge", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_extended_is_over_after_its_time() {
    let engine = Engine::new(Capabilities { extends: false, ..able() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(40))]);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(31)).await;
    assert_eq!(world.health().await.lock_lost, 1);
    pass(secs(20)).await;
    assert_eq!(engine.settled(), []);
}

#[tokio::test(start_paused = true)]
async fn those_of_its_key_do_not_overtake_a_message_whose_lock_is_lost() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(60))]);
    world.start(world.endpoint().order(Order::PerKey));
    let (lost, behind) = (engine.publish("a", 1), engine.publish("a", 2));
    pass(secs(1)).await;
    engine.take_lock(lost);
    pass(secs(20)).await;
    assert_eq!((engine.verdict(behind), world.script.numbers("charge")), (None, vec![1]));
    // The opening ends, and nothing is given back one by one: what was not settled comes first in the next one.
    pass(secs(60)).await;
    assert_eq!((engine.opened(), engine.verdict(behind)), (2, None));
    assert_eq!(world.script.numbers("charge"), [1]);
}

#[tokio::test(start_paused = true)]
async fn max_handling_cuts_one_handler_off_and_counts() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint().max_handling(secs(3)));
    let tag = engine.publish("", 1);
    pass(millis(2_900)).await;
    assert_eq!(world.script.runs(), [("charge", 1)]);
    pass(secs(2)).await;
    assert_eq!(world.script.runs(), [("charge", 1), ("post", 1), ("charge", 1)]);
    assert_eq!((engine.verdict(tag), world.health().await.failed), (Some(Verdict::Ack), 1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_cut_off_and_panics_as_it_is_dropped_has_failed_like_others() {
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::HangAndExplode]);
    world.start(world.endpoint().max_handling(secs(3)));
    let tag = engine.publish("", 1);
    pass(secs(5)).await;
    assert_eq!(world.script.runs(), [("charge", 1), ("post", 1), ("charge", 1)]);
    assert_eq!((engine.verdict(tag), world.health().await.failed), (Some(Verdict::Ack), 1));
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_gives_two_deliveries_one_tag_loses_its_opening() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(2))]);
    world.start(world.endpoint());
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    engine.publish_as("OrderPlaced", "", 2, |mut delivery| {
        delivery.tag = tag;
        delivery
    });
    pass(secs(10)).await;
    assert_eq!((engine.verdict(tag), world.script.numbers("charge")), (Some(Verdict::Ack), vec![1]));
    let error = world.health().await.last_error.unwrap_or_default();
    assert!(engine.opened() > 1 && error.contains("gave two deliveries the tag"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_runs_once() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    world.script.say("charge", 2, [Conduct::Fail, Conduct::Fail]);
    world.start(world.endpoint().errors(crate::endpoint::ErrorPolicy::new().immediately(0).later([secs(5)])));
    for number in [1, 1, 2, 2] {
        engine.publish("", number);
    }
    pass(secs(4)).await;
    assert_eq!(engine.acked(), [0; 0]);
    pass(secs(4)).await;
    assert_eq!((world.script.numbers("charge"), engine.acked()), (vec![1, 2, 2], vec![1, 2]));
    // The second delivery of a dead letter is one too.
    assert_eq!((engine.settled().len(), world.health().await.dead), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_for_a_lock_that_cannot_be_extended_goes_back() {
    for order in [Order::None, Order::PerKey] {
        let engine = Engine::new(Capabilities { extends: false, ..able() });
        let mut world = World::new(engine.clone());
        for number in 1..=5 {
            world.script.say("charge", number, [Conduct::Take(secs(25))]);
        }
        world.start(world.endpoint().concurrency(1).order(order));
        let [runs, waits, behind] = [1, 2, 3].map(|number| engine.publish(["", "b", "a", "a"][number], number as u32));
        pass(secs(19)).await;
        assert_eq!(engine.settled(), []);
        pass(millis(1_500)).await;
        // The endpoint takes as many as it has workers, twice.
        let gone = [waits, behind].into_iter().filter(|&tag| engine.verdict(tag) == Some(Verdict::Release)).count();
        assert!(gone >= 1 && engine.verdict(runs).is_none(), "{order:?}: {:?}", engine.settled());
    }
}

#[tokio::test(start_paused = true)]
async fn it_asks_for_what_its_events_need() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().concurrency(4));
    pass(secs(1)).await;
    let wanted = engine.wanted();
    assert!(wanted.contains("default_topic: false") && wanted.contains("concurrency: 4"), "{wanted}");

    let engine = Engine::new(Capabilities { competing: false, ..able() });
    let mut world = World::with(engine.clone(), handlers![Alarm]);
    world.start(Endpoint::new("billing", engine.clone()).handlers(handlers![Alarm]).broadcast());
    engine.publish_as("Alarmed", "", 1, |delivery| delivery);
    pass(secs(1)).await;
    let wanted = engine.wanted();
    assert!(wanted.contains("default_topic: true") && wanted.contains("share: Broadcast"), "{wanted}");
    assert_eq!((engine.acked(), world.script.numbers("alarm")), (vec![1], vec![1]));
}
