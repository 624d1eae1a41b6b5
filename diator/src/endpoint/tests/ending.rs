use super::engine::{Engine, Trouble, able};
use super::world::{Conduct, World, millis, pass, secs};
use crate::endpoint::{ErrorPolicy, Order};
use crate::host::{Host, HostError};
use crate::subscription::{Capabilities, DeliveryTag, Release, Verdict};

#[tokio::test(start_paused = true)]
async fn what_waits_is_given_back_and_what_runs_ends() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    world.start(world.endpoint().concurrency(1));
    let (runs, waits) = (engine.publish("", 1), engine.publish("", 2));
    pass(secs(1)).await;
    world.begin_stop();
    pass(secs(1)).await;
    assert_eq!((engine.verdict(waits), engine.verdict(runs)), (Some(Verdict::Release), None));
    // What comes now is not taken.
    let late = engine.publish("", 3);
    world.ended().await.expect("it ends well");
    assert_eq!((engine.verdict(runs), engine.verdict(late)), (Some(Verdict::Ack), None));
    assert_eq!(engine.log(), ["settle 2", "settle 1", "close"]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_given_back_what_waits_is_left() {
    let engine = Engine::new(Capabilities { release: Release::Impossible, ..able() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    world.start(world.endpoint().order(Order::PerKey));
    engine.publish("a", 1);
    engine.publish("a", 2);
    pass(secs(1)).await;
    world.stop().await.expect("it ends well");
    assert_eq!(
        (engine.log(), world.script.numbers("charge")),
        (vec!["settle 1".to_owned(), "close".to_owned()], vec![1])
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_is_never_acknowledged() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint());
    engine.publish("", 1);
    engine.publish("", 2);
    pass(secs(1)).await;
    let begun = tokio::time::Instant::now();
    world.stop().await.expect("the endpoint itself ends in time");
    assert!(begun.elapsed() >= secs(8) && begun.elapsed() <= secs(9), "{:?}", begun.elapsed());
    assert_eq!((engine.acked(), engine.verdict(DeliveryTag(1)), engine.closed()), (vec![2], Some(Verdict::Release), 1));
}

#[tokio::test(start_paused = true)]
async fn what_rests_is_given_back_and_what_fails_at_the_end_too() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Fail]);
    world.script.say("charge", 2, [Conduct::Take(secs(3)), Conduct::Fail]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(0).later([secs(60)])));
    let (rests, fails) = (engine.publish("", 1), engine.publish("", 2));
    pass(secs(1)).await;
    world.begin_stop();
    pass(millis(10)).await;
    assert_eq!(engine.verdict(rests), Some(Verdict::Release));
    world.ended().await.expect("it ends well");
    assert_eq!(engine.verdict(fails), Some(Verdict::Ack));
}

#[tokio::test(start_paused = true)]
async fn a_failure_during_the_end_is_given_back() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Hang]);
    world.start(world.endpoint().max_handling(secs(3)));
    let fails = engine.publish("", 1);
    pass(secs(1)).await;
    world.stop().await.expect("it ends well");
    assert_eq!((engine.verdict(fails), world.script.runs().len()), (Some(Verdict::Release), 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_endpoint_ends_at_once_and_a_paused_one_too() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    pass(secs(1)).await;
    let begun = tokio::time::Instant::now();
    world.stop().await.expect("it ends well");
    assert_eq!((begun.elapsed(), engine.closed()), (secs(0), 1));

    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Down]);
    let policy = ErrorPolicy::new().when::<super::world::GatewayDown>(|_| crate::endpoint::OnError::Pause(secs(600)));
    world.start(world.endpoint().errors(policy));
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    let begun = tokio::time::Instant::now();
    world.stop().await.expect("it ends well");
    assert_eq!((begun.elapsed(), engine.verdict(tag)), (secs(0), Some(Verdict::Release)));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_at_the_end_holds_nothing_up_for_ever() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.trouble(Trouble::Hangs);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(1)).await;
    let begun = tokio::time::Instant::now();
    let ended = world.stop().await;
    let Err(error @ HostError::Deadline { what: "an endpoint", .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(error.to_string(), "an endpoint had not ended after 9s, which is its share of the deadline of 16s");
    assert!(begun.elapsed() <= secs(16), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_answers_late_at_the_end_is_waited_for() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    engine.trouble(Trouble::Fails);
    world.start(world.endpoint());
    let tag = engine.publish("", 1);
    pass(secs(1)).await;
    world.begin_stop();
    pass(secs(2)).await;
    engine.trouble(Trouble::None);
    world.ended().await.expect("it ends well");
    assert_eq!(engine.verdict(tag), Some(Verdict::Ack));
}

#[tokio::test(start_paused = true)]
async fn owners_are_given_up_also_while_it_ends() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    let owner = crate::subscription::Ownership { partition: 1, epoch: 1 };
    world.script.say("charge", 1, [Conduct::Take(secs(4))]);
    world.start(world.endpoint());
    engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(owner));
    world.script.say("charge", 2, [Conduct::Take(secs(6))]);
    engine.publish("", 2);
    pass(secs(1)).await;
    world.begin_stop();
    engine.revoke(owner, secs(7));
    pass(secs(4)).await;
    assert_eq!((engine.verdict(DeliveryTag(1)), engine.revoked()), (Some(Verdict::Ack), vec![owner]));
    world.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn in_order_the_rest_of_a_key_goes_back_in_one_call_when_its_first_has_ended() {
    for ends in [true, false] {
        let engine = Engine::new(able());
        let mut world = World::new(engine.clone());
        world.script.say("charge", 1, [if ends { Conduct::Take(secs(5)) } else { Conduct::Hang }]);
        world.start(world.endpoint().order(Order::PerKey));
        for number in 1..=4 {
            engine.publish("a", number);
        }
        pass(secs(1)).await;
        world.begin_stop();
        pass(secs(1)).await;
        assert_eq!(engine.batches(), [[0; 0]; 0]);
        world.ended().await.expect("it ends well");
        let first = if ends { Verdict::Ack } else { Verdict::Release };
        assert_eq!((engine.batches(), engine.verdict(DeliveryTag(1))), (vec![vec![1, 2, 3, 4]], Some(first)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_has_the_share_of_its_endpoint() {
    let engine = Engine::new(able());
    let world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Block(secs(1))]);
    engine.publish("", 1);
    let host = Host::new(world.mediator.clone()).deadline(millis(320)).endpoint(world.endpoint());
    let begun = async {
        while world.script.runs().is_empty() {
            pass(millis(1)).await;
        }
    };
    let error = host.run_until(begun).await.expect_err("it cannot be cut off");
    let text = "an endpoint had not ended after 180ms, which is its share of the deadline of 320ms";
    assert_eq!(error.to_string(), text);
}
