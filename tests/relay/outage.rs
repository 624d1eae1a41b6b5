use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diator::broker::{InMemoryBroker, PublishErrorKind};
use diator::outbox::{DeadLetterFilter, DeadLetters, InMemoryOutbox, OutboxStore};
use tokio::time::{Instant, sleep};

use super::world::*;

const AWAY: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };

#[tokio::test(start_paused = true)]
async fn after_ten_minutes_without_a_broker_all_goes_within_half_a_minute() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    let relay = relay(outbox.clone(), broker.clone());
    let monitor = relay.monitor();
    broker.refuse(AWAY);
    let script = async {
        for number in 0..600 {
            commit(&outbox, [message(Some(&(number % 50).to_string()), number)]).await;
            sleep(Duration::from_secs(1)).await;
        }
        let health = monitor.health().await;
        assert!(health.oldest_seconds.is_some_and(|age| age > 590.0), "{health:?}");
        assert_eq!(health.circuits.len(), 1);
        broker.accept();
        let healed = Instant::now();
        broker.published_at_least(600).await;
        assert!(healed.elapsed() <= Duration::from_secs(31), "it took {:?}", healed.elapsed());
    };
    relay.run_until(script).await.unwrap();
    assert!(outbox.list(&DeadLetterFilter::default()).await.unwrap().is_empty(), "an outage makes no dead letters");
    assert!(monitor.health().await.circuits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn commits_during_an_outage_do_not_make_it_look_all_the_time() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    broker.refuse(AWAY);
    let store = FaultyStore::new(&outbox, |_| Fault::None);
    let script = async {
        for number in 0..10_000 {
            commit(&outbox, [message(None, number)]).await;
            sleep(Duration::from_millis(1)).await;
        }
    };
    relay(store.clone(), broker).drain(Duration::ZERO).run_until(script).await.unwrap();
    let looks = store.leases.load(Ordering::SeqCst);
    assert!(looks < 300, "{looks} looks in 10 s");
}

#[tokio::test(start_paused = true)]
async fn commits_of_a_parked_key_do_not_make_it_look_all_the_time() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    broker.refuse(PublishErrorKind::Fatal);
    commit(&outbox, [message(Some("a"), 0)]).await;
    let store = FaultyStore::new(&outbox, |_| Fault::None);
    run_for(relay(store.clone(), broker.clone()), Duration::from_secs(1)).await;
    let before = store.leases.load(Ordering::SeqCst);
    let script = async {
        for number in 0..1_000 {
            commit(&outbox, [message(Some("a"), number)]).await;
            sleep(Duration::from_millis(1)).await;
        }
    };
    relay(store.clone(), broker).run_until(script).await.unwrap();
    let looks = store.leases.load(Ordering::SeqCst) - before;
    assert!(looks <= 1_010, "{looks} looks for 1,000 commits");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_waited_for() {
    let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
    for method in [Method::Lease, Method::Claim, Method::Settle, Method::Release] {
        broker.take_published();
        let away = Arc::new(AtomicBool::new(true));
        let is_away = away.clone();
        let store = FaultyStore::new(&outbox, move |called| {
            if called == method && is_away.load(Ordering::SeqCst) { Fault::Fail } else { Fault::None }
        });
        commit(&outbox, [message(Some("a"), 1)]).await;
        let relay = relay(store, broker.clone());
        let monitor = relay.monitor();
        let script = async {
            sleep(Duration::from_secs(120)).await;
            away.store(false, Ordering::SeqCst);
            sleep(Duration::from_secs(60)).await;
        };
        relay.run_until(script).await.unwrap();
        assert!(outbox.pending().is_empty(), "{method:?}");
        assert_eq!(monitor.health().await.error, None, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_panics_hangs_or_answers_for_too_few_loses_nothing() {
    let (outbox, bad) = (InMemoryOutbox::new(), Arc::new(AtomicBool::new(true)));
    for (fault, short_by) in [(0, 0), (1, 0), (2, 3)] {
        bad.store(true, Ordering::SeqCst);
        let is_bad = bad.clone();
        let broker = FaultyBroker::new(move |_| match fault {
            0 if is_bad.load(Ordering::SeqCst) => Fault::Fail,
            1 if is_bad.load(Ordering::SeqCst) => Fault::Hang,
            _ => Fault::None,
        });
        broker.short_by.store(short_by, Ordering::SeqCst);
        commit(&outbox, (0..20).map(|number| message(Some(&number.to_string()), number))).await;
        let script = async {
            sleep(Duration::from_secs(100)).await;
            bad.store(false, Ordering::SeqCst);
            broker.short_by.store(0, Ordering::SeqCst);
            sleep(Duration::from_secs(100)).await;
        };
        relay(outbox.clone(), broker.clone()).run_until(script).await.unwrap();
        assert!(outbox.pending().is_empty(), "fault {fault}");
        assert!(outbox.list(&DeadLetterFilter::default()).await.unwrap().is_empty(), "fault {fault}");
        assert_eq!(outbox.status().await.unwrap().pending, 0);
    }
}

/// It takes one message after the other, and names no deadline: a batch of 500 takes 25 s, and is given up after 10.
#[tokio::test(start_paused = true)]
async fn a_slow_broker_gets_no_more_than_it_can_take_in_time() {
    let (outbox, broker) = (InMemoryOutbox::new(), FaultyBroker::slow(Duration::from_millis(50)));
    commit(&outbox, (0..2_000).map(|number| message(None, number))).await;
    let begun = Instant::now();
    let gone = async {
        while !outbox.pending().is_empty() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    relay(outbox.clone(), broker.clone()).run_until(gone).await.unwrap();
    let (published, took) = (broker.memory.len(), begun.elapsed());
    assert!(published <= 2_500, "{} were published twice: more than the first batch", published - 2_000);
    assert!(took < Duration::from_secs(180), "100 s are needed, and it took {took:?}");
}
