use std::time::Duration;

use diator::broker::InMemoryBroker;
use diator::outbox::{InMemoryOutbox, OutboxStore, RelayId};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::world::*;

#[tokio::test(start_paused = true)]
async fn what_is_left_goes_at_the_end() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    commit(&outbox, (0..5_000).map(|number| message(Some(&(number % 900).to_string()), number))).await;
    relay(outbox.clone(), broker.clone()).run_until(async {}).await.unwrap();
    assert_eq!((broker.len(), outbox.pending().len()), (5_000, 0));
}

/// One key goes message by message: the end must not wait for all of them.
#[tokio::test(start_paused = true)]
async fn a_hot_key_does_not_hold_up_the_end_and_nothing_goes_twice() {
    let (outbox, broker) = (InMemoryOutbox::new(), FaultyBroker::slow(Duration::from_millis(100)));
    commit(&outbox, (0..400).map(|number| message(Some("a"), number))).await;
    let begun = Instant::now();
    let relay = |drain| relay(outbox.clone(), broker.clone()).drain(drain);
    relay(Duration::from_secs(2)).run_until(sleep(Duration::from_secs(1))).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(3_200), "it took {:?}", begun.elapsed());
    let free = outbox.lease(RelayId(Uuid::now_v7()), 64, Duration::from_millis(1)).await.unwrap();
    assert_eq!(free.partitions.len(), 1, "the lease was given back");
    sleep(Duration::from_millis(2)).await;
    relay(Duration::from_secs(100)).run_until(async {}).await.unwrap();
    assert_eq!(bodies(&broker.memory.published()), (0..400).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_hold_up_the_end() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    for hanging in [Method::Check, Method::Lease, Method::Claim, Method::Settle, Method::Release] {
        commit(&outbox, [message(None, 1)]).await;
        let store = FaultyStore::new(&outbox, move |method| if method == hanging { Fault::Hang } else { Fault::None });
        let relay = relay(store, broker.clone()).drain(Duration::from_secs(1));
        let ended = timeout(Duration::from_secs(60), relay.run_until(sleep(Duration::from_secs(1)))).await;
        assert!(ended.is_ok(), "{hanging:?} holds it up");
        sleep(Duration::from_secs(60)).await;
    }
}
