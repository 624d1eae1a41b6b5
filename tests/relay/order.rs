use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::keys::neighbours;
use diator::broker::{InMemoryBroker, PublishErrorKind};
use diator::outbox::{InMemoryOutbox, partition_of};

use super::world::*;

/// Which keys share a partition.
mod keys {
    use super::{message, partition_of};

    /// Keys that are all in one partition.
    pub(super) fn neighbours(count: usize) -> Vec<String> {
        let wanted = partition_of(&message(Some("0"), 0));
        (0..)
            .map(|key: u32| key.to_string())
            .filter(|key| partition_of(&message(Some(key), 0)) == wanted)
            .take(count)
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_comes_in_the_order_of_commits_with_every_size_of_batch() {
    for batch in [2, 3, 7, 1_000] {
        let (outbox, broker) = (InMemoryOutbox::new(), FaultyBroker::slow(Duration::from_millis(1)));
        for number in 0..200 {
            commit(&outbox, [message(Some(&(number % 7).to_string()), number)]).await;
        }
        run_for(relay(outbox.clone(), broker.clone()).batch(batch), Duration::from_secs(60)).await;
        let published = broker.memory.published();
        assert_eq!(published.len(), 200, "batch {batch}: each once");
        for key in 0..7 {
            let of_key: Vec<u32> = published
                .iter()
                .filter(|m| m.key.as_deref() == Some(&*key.to_string()))
                .map(|m| body(m).parse().unwrap())
                .collect();
            assert!(of_key.is_sorted(), "batch {batch}, key {key}: {of_key:?}");
        }
    }
}

/// A circuit that is tried again in mid turn must not let a later message of a key pass one that was left out before.
#[tokio::test(start_paused = true)]
async fn a_trial_in_mid_turn_does_not_overtake_what_was_left_out() {
    let outbox = InMemoryOutbox::new();
    let slow_claims = Arc::new(AtomicBool::new(false));
    let slow = slow_claims.clone();
    let store = FaultyStore::new(&outbox, move |method| match method {
        Method::Claim if slow.load(Ordering::SeqCst) => Fault::Delay(Duration::from_millis(70)),
        _ => Fault::None,
    });
    let broker = InMemoryBroker::new();
    broker.refuse(PublishErrorKind::Transient { retry_after: None });
    let keys = neighbours(3);
    // The circuit opens, and the route is known.
    commit(&outbox, [named("A", Some(&keys[0]), "a0"), named("A", Some(&keys[0]), "a1")]).await;
    let script = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        slow_claims.store(true, Ordering::SeqCst);
        let others = (0..40).map(|number| named("B", Some(&keys[2]), format!("b{number}")));
        let rows = [named("A", Some(&keys[1]), "first")].into_iter();
        commit(&outbox, rows.chain(others).chain([named("A", Some(&keys[1]), "second")])).await;
        broker.accept();
        tokio::time::sleep(Duration::from_secs(300)).await;
    };
    relay(store, broker.clone()).batch(2).run_until(script).await.unwrap();
    let published: Vec<_> = broker.published().into_iter().filter(|m| m.key.as_deref() == Some(&*keys[1])).collect();
    assert_eq!(bodies(&published), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_key_goes_after_an_ambiguous_answer_until_it_is_cleared() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    commit(&outbox, (0..10).map(|number| message(Some("a"), number))).await;
    broker.refuse_next(3, PublishErrorKind::Ambiguous);
    run_for(relay(outbox.clone(), broker.clone()), Duration::from_secs(10)).await;
    assert_eq!(bodies(&broker.published()), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(outbox.pending().is_empty());
}
