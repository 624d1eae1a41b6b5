//! Rows of one message are noted apart from each other: each ends, or ends a process, by itself.

use super::engine::{Engine, able};
use super::stores::Faulty;
use super::world::{Charge, Conduct, Post, World, pass, secs};
use crate::endpoint::ErrorPolicy;
use crate::handlers;

fn later() -> ErrorPolicy {
    ErrorPolicy::new().immediately(0).later([secs(10); 100])
}

#[tokio::test(start_paused = true)]
async fn a_row_that_ends_processes_is_poison_although_another_row_of_its_message_ends_well() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    // `charge` is cut off each time, and noted as ended; `post` runs when its process dies.
    for handler in ["charge", "post"] {
        world.script.say(handler, 1, std::iter::once(Conduct::Fail).chain(vec![Conduct::Hang; 100]));
    }
    world.start(world.endpoint().errors(later()).max_handling(secs(2)));
    engine.publish("", 1);
    let poison = ("post".to_owned(), 1, Some("Poison".to_owned()));
    let mut crashes = 0;
    while !inbox.shown().await.contains(&poison) {
        pass(secs(1)).await;
        if world.script.numbers("post").len() == crashes + 2 {
            world.crash().await;
            crashes += 1;
            assert!(crashes < 6, "{:?}", inbox.shown().await);
            world = world.beside(handlers![Charge, Post], inbox.clone());
            world.start(world.endpoint().errors(later()).max_handling(secs(2)));
        }
    }
    // The first one was no redelivery, and the log does not know of it.
    assert_eq!(crashes, 4);
}

#[tokio::test(start_paused = true)]
async fn rows_of_one_message_that_a_process_has_lost_may_run_in_several_processes_at_once() {
    let (engine, inbox) = (Engine::new(able()), Faulty::default());
    let log = crate::Inbox::attempt_log(&inbox).expect("memory has a log");
    let mut world = World::stored(engine.clone(), handlers![Charge, Post], inbox.clone());
    for handler in ["charge", "post"] {
        world.script.say(handler, 1, [Conduct::Fail, Conduct::Hang, Conduct::Take(secs(5))]);
    }
    world.start(world.endpoint().errors(later()));
    engine.publish("", 1);
    pass(secs(12)).await;
    world.crash().await;
    // As if other rows of the message ran in three other processes.
    for _ in 0..3 {
        log.begin("billing", &[uuid::Uuid::from_u128(2)]).await.expect("memory answers");
    }
    let mut after = world.beside(handlers![Charge, Post], inbox.clone());
    after.start(after.endpoint().errors(later()));
    pass(secs(60)).await;
    assert_eq!(inbox.shown().await, []);
}
