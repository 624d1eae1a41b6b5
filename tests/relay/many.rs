use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::broker::{InMemoryBroker, PublishErrorKind};
use diator::outbox::{InMemoryOutbox, OutboxStore, PARTITIONS, RelayId};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::world::*;

/// Each partition gets its turn, although those before it always have something.
#[tokio::test(start_paused = true)]
async fn no_partition_starves() {
    let outbox = InMemoryOutbox::new();
    commit(&outbox, (0..2_000).map(|number| message(None, number))).await;
    let relay = RelayId(Uuid::now_v7());
    let mut seen = std::collections::HashSet::new();
    for _ in 0..4 {
        let leased = outbox.lease(relay, 16, Duration::from_secs(30)).await.unwrap();
        seen.extend(leased.partitions.iter().map(|lease| lease.partition));
        outbox.release(&leased.partitions).await.unwrap();
    }
    assert_eq!(seen.len(), usize::from(PARTITIONS));
}

/// A claim that its bytes have ended is not the end of its partition.
#[tokio::test(start_paused = true)]
async fn large_messages_go_within_one_turn() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    commit(&outbox, (0..30).map(|_| message(Some("a"), "x".repeat(1 << 20)))).await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let store = FaultyStore::new(&outbox, move |method| {
        seen.lock().unwrap().push(method);
        Fault::None
    });
    relay(store.clone(), broker.clone()).run_until(broker.published_at_least(30)).await.unwrap();
    assert_eq!((outbox.pending().len(), broker.len()), (0, 30));
    let calls = calls.lock().unwrap();
    let count = |wanted| calls.iter().filter(|method| **method == wanted).count();
    assert_eq!((count(Method::Claim), count(Method::Release)), (4, 1), "8 MiB each time: {calls:?}");
}

/// Rows that cannot go are in all partitions; those that can are found at once all the same.
#[tokio::test(start_paused = true)]
async fn parked_and_refused_rows_do_not_hide_the_others() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    broker.refuse_if(|message| (message.name == "Bad").then(|| diator::PublishError::fatal("no")));
    commit(&outbox, (0..3_000).map(|number| named("Bad", Some(&number.to_string()), number))).await;
    commit(&outbox, (0..3_000).map(|number| message(Some(&format!("good {number}")), number))).await;
    run_for(relay(outbox.clone(), broker.clone()), Duration::from_secs(5)).await;
    assert_eq!(broker.len(), 3_000);
}

/// Relays that are killed at random, while messages are written: nothing is lost, and first deliveries keep their order.
async fn killed_at_random(relays: usize) {
    const BATCH: usize = 20;
    let (outbox, broker) = (InMemoryOutbox::new(), FaultyBroker::slow(Duration::from_millis(2)));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut running, mut crashes) = (Vec::new(), 0);
    let start = |outbox: &InMemoryOutbox| {
        let relay = relay(outbox.clone(), broker.clone()).batch(BATCH as u32).partitions(8);
        let relay = relay.publish_deadline(Duration::from_millis(500)).lease(Duration::from_secs(1));
        tokio::spawn(relay.run_until(std::future::pending::<()>()))
    };
    for _ in 0..relays {
        running.push(start(&outbox));
    }
    for number in 0..1_500 {
        commit(&outbox, [message(Some(&(number % 11).to_string()), number)]).await;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        sleep(Duration::from_micros(random >> 51)).await;
        if random >> 58 == 0 {
            let victim = (random >> 32) as usize % relays;
            running[victim].abort();
            running[victim] = start(&outbox);
            crashes += 1;
        }
    }
    let drained = async {
        while !outbox.pending().is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), drained).await.expect("the backlog is drained");
    running.iter().for_each(tokio::task::JoinHandle::abort);

    let published = broker.memory.published();
    let (mut first, mut order) = (HashMap::new(), HashMap::<_, Vec<u32>>::new());
    for message in &published {
        *first.entry(message.id).or_insert(0) += 1;
        if first[&message.id] == 1 {
            order.entry(message.key.clone()).or_default().push(body(message).parse().unwrap());
        }
    }
    assert!(crashes > 5, "{crashes}");
    assert_eq!(first.len(), 1_500, "I1");
    assert!(
        published.len() - 1_500 <= crashes * BATCH,
        "I3: {} duplicates, {crashes} crashes",
        published.len() - 1_500
    );
    assert!(order.values().all(|numbers| numbers.is_sorted()), "I4");
}

#[tokio::test(start_paused = true)]
async fn two_relays_killed_at_random_lose_nothing() {
    killed_at_random(2).await;
}

#[tokio::test(start_paused = true)]
async fn ten_relays_killed_at_random_lose_nothing() {
    killed_at_random(10).await;
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_loses_its_lease_stops_publishing() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    commit(&outbox, (0..100).map(|number| message(Some("a"), number))).await;
    // The claim takes longer than the lease: another relay may own the partition by now.
    let mut first = true;
    let slow = FaultyStore::new(&outbox, move |method| match method {
        Method::Claim if std::mem::take(&mut first) => Fault::Delay(Duration::from_secs(60)),
        _ => Fault::None,
    });
    let other = async {
        sleep(Duration::from_secs(40)).await;
        run_for(relay(outbox.clone(), broker.clone()), Duration::from_secs(10)).await;
        sleep(Duration::from_secs(60)).await;
    };
    relay(slow, broker.clone()).run_until(other).await.unwrap();
    assert_eq!(broker.len(), 100, "nothing went twice");
    broker.refuse(PublishErrorKind::Ambiguous);
}
