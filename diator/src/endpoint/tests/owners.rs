use super::engine::{Engine, able};
use super::world::{Conduct, World, pass, secs};
use crate::endpoint::Order;
use crate::subscription::{Capabilities, DeliveryTag, Ownership, Release, Verdict};

const ONE: Ownership = Ownership { partition: 1, epoch: 1 };
const TWO: Ownership = Ownership { partition: 2, epoch: 1 };

/// Three of one owner, of which the first runs for so long, and one of the other.
fn busy(world: &World, seconds: u64) -> [DeliveryTag; 4] {
    world.script.say("charge", 1, [Conduct::Take(secs(seconds))]);
    [(ONE, "a", 1), (ONE, "a", 2), (ONE, "a", 3), (TWO, "b", 4)].map(|(owner, key, number)| {
        world.engine.publish_as("OrderPlaced", key, number, |delivery| delivery.with_owner(owner))
    })
}

#[tokio::test(start_paused = true)]
async fn a_revocation_lets_what_runs_end_and_gives_the_partition_up() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    busy(&world, 5);
    pass(secs(1)).await;
    engine.revoke(ONE, secs(10));
    pass(secs(2)).await;
    assert_eq!(engine.revoked(), []);
    pass(secs(3)).await;
    assert_eq!((engine.verdict(DeliveryTag(1)), engine.revoked()), (Some(Verdict::Ack), vec![ONE]));
    // In order per key, the next owner gets the rest first: nothing of it is given back one by one.
    assert_eq!(engine.log(), ["settle 4", "settle 1", "revoked 1"]);
    assert_eq!(world.script.numbers("charge").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_only_offsets_are_known_the_rest_is_forgotten() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, release: Release::Impossible, ..able() });
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    busy(&world, 5);
    pass(secs(1)).await;
    engine.revoke(ONE, secs(10));
    pass(secs(6)).await;
    assert_eq!(engine.log(), ["settle 4", "settle 1", "revoked 1"]);
    assert_eq!(world.health().await.held, 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_cut_off_and_never_acknowledged() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    busy(&world, 50);
    pass(secs(1)).await;
    engine.revoke(ONE, secs(10));
    pass(secs(11)).await;
    assert_eq!((engine.revoked(), world.health().await.running), (vec![ONE], 0));
    pass(secs(60)).await;
    assert_eq!((engine.acked(), world.script.ended()), (vec![4], vec![("charge", 4)]));
}

#[tokio::test(start_paused = true)]
async fn what_fails_while_its_owner_is_revoked_is_given_back() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint());
    world.script.say("charge", 1, [Conduct::Take(secs(3)), Conduct::Succeed]);
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_owner(ONE));
    world.script.say("charge", 2, [Conduct::Hang]);
    pass(secs(1)).await;
    engine.revoke(ONE, secs(10));
    // One that comes while it is revoked is not begun.
    let late = engine.publish_as("OrderPlaced", "", 2, |delivery| delivery.with_owner(ONE));
    pass(secs(4)).await;
    assert_eq!((engine.verdict(tag), engine.verdict(late)), (Some(Verdict::Ack), Some(Verdict::Release)));
    assert_eq!(engine.revoked(), [ONE]);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_during_the_end_gives_nothing_back_before_what_runs_of_its_key() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    let [running, behind, last, _] = busy(&world, 5);
    pass(secs(1)).await;
    world.begin_stop();
    pass(secs(1)).await;
    engine.revoke(ONE, secs(10));
    pass(secs(1)).await;
    assert_eq!([running, behind, last].map(|tag| engine.verdict(tag)), [None, None, None]);
    pass(secs(4)).await;
    let verdicts = [running, behind, last].map(|tag| engine.verdict(tag));
    assert_eq!(verdicts, [Some(Verdict::Ack), Some(Verdict::Release), Some(Verdict::Release)]);
    assert_eq!(engine.log()[..2], ["settle 4", "settle 1"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_partition_of_a_later_epoch_is_handled() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    engine.revoke(ONE, secs(10));
    pass(secs(1)).await;
    let later = Ownership { epoch: 2, ..ONE };
    engine.publish_as("OrderPlaced", "a", 1, |delivery| delivery.with_owner(later));
    pass(secs(1)).await;
    assert_eq!((engine.revoked(), engine.acked()), (vec![ONE], vec![1]));
}

#[tokio::test(start_paused = true)]
async fn of_what_is_lost_nothing_is_settled() {
    for settles_out_of_order in [true, false] {
        let engine = Engine::new(Capabilities { settles_out_of_order, ..able() });
        let mut world = World::new(engine.clone());
        world.start(world.endpoint().order(Order::PerKey));
        busy(&world, 5);
        pass(secs(1)).await;
        engine.lose(ONE);
        pass(secs(30)).await;
        assert_eq!((engine.log(), world.health().await.held), (vec!["settle 4".to_owned()], 0));
        assert_eq!(world.script.ended(), [("charge", 4), ("charge", 1)], "a handler that runs may end");
        assert_eq!(engine.extensions(DeliveryTag(2)), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn where_only_offsets_are_known_a_lost_lock_is_the_end_of_its_owner() {
    let engine = Engine::new(Capabilities { settles_out_of_order: false, ..able() });
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    busy(&world, 5);
    engine.take_lock(DeliveryTag(1));
    pass(secs(6)).await;
    assert_eq!((engine.log(), engine.revoked()), (vec!["settle 4".to_owned(), "revoked 1".to_owned()], vec![ONE]));
    // What still comes of it is not handled; what comes of its next owner is.
    engine.publish_as("OrderPlaced", "a", 7, |delivery| delivery.with_owner(ONE));
    engine.publish_as("OrderPlaced", "a", 8, |delivery| delivery.with_owner(Ownership { epoch: 2, ..ONE }));
    pass(secs(1)).await;
    assert_eq!((world.script.numbers("charge").contains(&7), engine.acked(), engine.opened()), (false, vec![4, 6], 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_of_an_owner_that_is_lost_never_runs_beside_itself() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().order(Order::PerKey));
    busy(&world, 5);
    pass(secs(1)).await;
    engine.lose(ONE);
    pass(secs(1)).await;
    // The next owner is this process again: its first message, and one behind it.
    let again = Ownership { epoch: 2, ..ONE };
    let tags =
        [1, 2].map(|number| engine.publish_as("OrderPlaced", "a", number, |delivery| delivery.with_owner(again)));
    pass(secs(2)).await;
    assert_eq!(world.script.numbers("charge"), [1, 4]);
    pass(secs(10)).await;
    // The handler that had begun is done, and does not run again.
    assert_eq!((world.script.numbers("charge"), world.script.most_running()), (vec![1, 4, 2], 2));
    assert!(tags.iter().all(|&tag| engine.verdict(tag) == Some(Verdict::Ack)));
}
