//! No row keeps others waiting that have no need to: not by its name, by its wait, or by a store that is slow or refuses it.

use uuid::Uuid;

use super::engine::{Engine, able};
use super::stores::Faulty;
use super::world::{Charge, Conduct, GatewayDown, World, millis, pass, secs};
use crate::deliveries::NewDelivery;
use crate::endpoint::{Endpoint, ErrorPolicy, OnError, Order};
use crate::handlers;

fn later() -> ErrorPolicy {
    ErrorPolicy::new().immediately(0).later([secs(10)])
}

fn world(inbox: &Faulty) -> World {
    World::stored(Engine::new(able()), handlers![Charge], inbox.clone())
}

#[tokio::test(start_paused = true)]
async fn a_key_with_many_messages_leaves_the_store_after_a_failure() {
    let inbox = Faulty::default();
    let mut world = world(&inbox);
    world.script.say("charge", 1, [Conduct::Fail]);
    world.start(world.endpoint().order(Order::PerKey).errors(later()));
    inbox.troubles(|troubles| troubles.slow = millis(1));
    for number in 1..6_000 {
        world.engine.publish("a", number);
        pass(millis(5)).await;
    }
    assert_eq!(inbox.rows().await.len(), 0);
    assert!(world.script.numbers("charge")[1..].is_sorted());
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_slow_store_are_handled_when_they_are_leased() {
    for (slow, names) in [(secs(6), vec![]), (secs(2), vec!["invoices", "invoicing"])] {
        let inbox = Faulty::default();
        let mut world = world(&inbox);
        world.script.say("charge", 1, [Conduct::Fail]);
        let endpoint = names.into_iter().fold(world.endpoint(), Endpoint::formerly);
        world.start(endpoint.errors(later()));
        inbox.troubles(|troubles| troubles.slow = slow);
        world.engine.publish("", 1);
        pass(secs(60)).await;
        assert_eq!((world.script.numbers("charge"), inbox.rows().await.len()), (vec![1, 1], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_the_store_does_not_settle_keeps_no_other_one_and_ends_no_opening() {
    let inbox = Faulty::default();
    let mut world = world(&inbox);
    for number in 1..=20 {
        world.script.say("charge", number, [Conduct::Fail]);
    }
    world.start(world.endpoint().errors(later()));
    (1..=20).for_each(|number| _ = world.engine.publish("", number));
    pass(secs(5)).await;
    let refused = inbox.rows().await[3].id;
    inbox.troubles(|troubles| troubles.refuses = Some(refused));
    pass(secs(10)).await;
    assert_eq!(inbox.rows().await.iter().map(|row| row.id).collect::<Vec<_>>(), [refused]);
    pass(secs(300)).await;
    assert_eq!(world.script.numbers("charge").len(), 40);
    // It is leased again and again; an opening that ended would lose nothing.
    assert!(world.health().await.lock_lost >= 4);
    inbox.troubles(|troubles| troubles.refuses = None);
    pass(secs(60)).await;
    assert_eq!((world.script.numbers("charge").len(), inbox.rows().await.len()), (40, 0));
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_tried_again_in_an_hour_take_no_place() {
    let inbox = Faulty::default();
    let mut world = world(&inbox);
    for number in 1..=40 {
        world.script.say("charge", number, [Conduct::Fail, Conduct::Down]);
    }
    world.script.say("charge", 41, [Conduct::Fail]);
    let policy = later().when::<GatewayDown>(|_| OnError::Again(secs(3_600)));
    world.start(world.endpoint().errors(policy).concurrency(8).max_ahead(32));
    (1..=40).for_each(|number| _ = world.engine.publish("", number));
    pass(secs(60)).await;
    world.engine.publish("", 41);
    pass(secs(15)).await;
    assert_eq!(world.script.succeeded(), [("charge", 41)]);
    pass(secs(3_600)).await;
    assert_eq!((world.script.succeeded().len(), inbox.rows().await.len()), (41, 0));
}

#[tokio::test(start_paused = true)]
async fn rows_under_a_former_name_do_not_wait_for_all_rows_of_the_new_one() {
    let inbox = Faulty::default();
    let mut world = world(&inbox);
    let row = |endpoint: &'static str, number: u32| {
        let id = Uuid::now_v7();
        let body = serde_json::json!({
            "message_type": "notification_event",
            "message_name": "OrderPlaced",
            "message_id": id,
            "payload": { "key": "a", "number": number },
        });
        world.script.say("charge", number, [Conduct::Take(secs(1))]);
        NewDelivery::new(endpoint, "charge", id, "orders", body.to_string().into_bytes())
    };
    let mut rows: Vec<_> = (1..200).map(|number| row("billing", number)).collect();
    rows.push(row("invoicing", 0));
    inbox.store().put(&rows).await.expect("memory puts");
    world.start(world.endpoint().formerly("invoicing").concurrency(2).max_ahead(8));
    pass(secs(20)).await;
    assert!(world.script.numbers("charge").contains(&0));
}
