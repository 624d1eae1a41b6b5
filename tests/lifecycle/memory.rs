//! What a message leaves behind: nothing.

use allocation_counter::measure;
use diator_tests::at_once;

use super::messages::{Act, act, done, happened, refuse};
use super::world::{Way, World};

/// Swallows the failure of a nested request that has emitted several events.
fn swallowing() -> Act {
    act(|cx| {
        Box::pin(async move {
            let failing = act(|cx| {
                (0..100).for_each(|_| cx.emit(happened("nested")));
                done(refuse("no"))
            });
            assert!(cx.send(failing).await.is_err());
            Ok(1)
        })
    })
}

#[test]
fn events_that_were_dropped_give_their_memory_back() {
    for way in [Way::SEND, Way::SEND_DYN, Way::SEND_THROUGH_MIDDLEWARE, Way::NESTED] {
        let world = World::new(way);
        let send = || assert_eq!(at_once(world.send(swallowing())).expect("no scope is open"), 1);
        send();
        assert_eq!(measure(send).bytes_current, 0, "{way:?}");
    }
}
