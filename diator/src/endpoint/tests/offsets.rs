//! An engine that only knows how far an endpoint has come.

use super::engine::{Engine, able};
use super::log::Log;
use super::world::{Conduct, World, pass, secs};
use crate::endpoint::{ErrorPolicy, InMemoryAttemptLog};
use crate::subscription::{Capabilities, DeliveryTag, Ownership, Redelivered, Verdict};

const ONE: Ownership = Ownership { partition: 1, epoch: 1 };

fn offsets() -> Engine {
    Engine::new(Capabilities { settles_out_of_order: false, ..able() })
}

/// Two deliveries of message 7 of which the later one begins first: the earlier one, and one before it, may have ended a process.
fn twins(world: &World) -> [DeliveryTag; 3] {
    world.script.say("charge", 1, [Conduct::Take(secs(5))]);
    [(1, Redelivered::Yes), (7, Redelivered::Yes), (7, Redelivered::No)].map(|(number, redelivered)| {
        let change = |delivery: crate::subscription::Delivery| delivery.with_owner(ONE).with_redelivered(redelivered);
        world.engine.publish_as("OrderPlaced", "", number, change)
    })
}

#[tokio::test(start_paused = true)]
async fn two_deliveries_of_a_message_do_not_wait_for_each_other() {
    // The earlier one finds the later one done, or still running.
    for seconds in [1, 10] {
        let engine = offsets();
        let mut world = World::new(engine.clone());
        world.script.say("charge", 7, [Conduct::Take(secs(seconds))]);
        world.start(world.endpoint().attempt_log(InMemoryAttemptLog::new()));
        twins(&world);
        pass(secs(20)).await;
        assert_eq!((world.script.numbers("charge"), engine.acked()), (vec![1, 7], vec![1, 2, 3]), "{seconds}");
        // What is settled is forgotten: whoever delivers it once more wants it handled.
        engine.publish_as("OrderPlaced", "", 7, |delivery| delivery.with_owner(ONE));
        pass(secs(1)).await;
        assert_eq!(world.script.numbers("charge"), [1, 7, 7]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_deliveries_of_a_message_are_dead_letters_together() {
    for (seconds, earlier) in [(1, "finds the later one dead"), (6, "waits for it")] {
        let engine = offsets();
        let mut world = World::new(engine.clone());
        world.script.say("charge", 7, [Conduct::Hang]);
        let policy = ErrorPolicy::new().immediately(0);
        world.start(world.endpoint().errors(policy).max_handling(secs(seconds)).attempt_log(InMemoryAttemptLog::new()));
        let [_, first, second] = twins(&world);
        pass(secs(20)).await;
        for tag in [first, second] {
            assert!(
                matches!(engine.verdict(tag), Some(Verdict::DeadLetter { .. })),
                "{earlier}: {:?}",
                engine.settled()
            );
        }
        assert_eq!(world.script.numbers("charge").iter().filter(|&&number| number == 7).count(), 1, "{earlier}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_lock_is_lost_is_not_passed_by_what_comes_after_it() {
    let engine = offsets();
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Take(secs(15))]);
    world.start(world.endpoint());
    engine.publish("", 1);
    let dead = engine.deliver(b"garbage", |delivery| delivery);
    engine.publish("", 3);
    pass(secs(1)).await;
    engine.take_lock(dead);
    // The extension says so while the first one runs, which ends before the opening does, and is settled.
    pass(secs(15)).await;
    assert_eq!(engine.settled(), [(1, Verdict::Ack)]);
    pass(secs(30)).await;
    assert_eq!((engine.settled().len(), engine.opened()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn no_more_are_held_that_are_done_than_may_be() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, lock: None, extends: false, ..able() });
    let mut world = World::new(engine.clone());
    world.script.say("charge", 0, [Conduct::Take(secs(60))]);
    let mut endpoint = world.endpoint().concurrency(4).max_ahead(8);
    assert_eq!(endpoint.settings.most_decided, 100_000);
    endpoint.settings.most_decided = 100;
    let (log, _listening) = Log::listen();
    world.start(endpoint);
    for number in 0..300 {
        engine.publish_as("OrderPlaced", "", number, |delivery| delivery.with_owner(ONE));
    }
    pass(secs(30)).await;
    // What was granted when the last one found room comes still.
    let (held, runs) = (world.health().await.held, world.script.runs().len());
    assert!((100..=108).contains(&held) && runs == held, "{held} {runs}");
    assert_eq!((engine.credit(), engine.settled()), (0, Vec::new()));
    assert_eq!(world.health().await.settling, held - 1);
    log.one_with("takes no more messages until the engine has taken the verdicts");
    pass(secs(31)).await;
    assert_eq!((engine.acked().len(), world.health().await.held, world.health().await.settling), (300, 0, 0));
    log.one_with("takes no more messages");
}
