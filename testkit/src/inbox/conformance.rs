//! The cases of the suite: the promises of an inbox to a mediator.
//!
//! Each function is a case, and panics if the inbox does not keep its promise.
//! [`inbox_conformance!`](crate::inbox_conformance) makes a test of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diator::Meta;
use diator::broker::{MessageType, OutboundMessage};
use diator::inbox::{Entry, Seen};
use diator::outbox::StagedMessage;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::Driver;
use super::unit::Unit;
use crate::drop_after;

/// Longer than any case.
const LONG: Duration = Duration::from_secs(3_600);

fn entry(message: Uuid) -> Entry<'static> {
    Entry::new("billing", "billing.charge", message)
}

/// The first to enter must get `First`; once that is committed, every other one must get `Before`.
pub async fn the_first_enters_and_the_next_comes_too_late<D: Driver>() {
    let driver = D::start(LONG).await;
    let (store, other) = (driver.connect(), driver.connect());
    for message in
        [Uuid::now_v7(), Uuid::from_u128(0x82a0_b10e_1b3d_4c3c_9bdd_3934_f8f8_24c2), Uuid::nil(), Uuid::max()]
    {
        let entry = entry(message);
        assert_eq!(store.handle(&entry).await, Seen::First, "{message}");
        for _ in 0..3 {
            assert_eq!(store.handle(&entry).await, Seen::Before, "{message}");
            assert_eq!(other.handle(&entry).await, Seen::Before, "in another process: {message}");
        }
    }
}

/// A unit of work that does not commit must leave no entry, whether it rolls back or is dropped.
pub async fn what_was_rolled_back_or_dropped_is_forgotten<D: Driver>() {
    let driver = D::start(LONG).await;
    let (store, other) = (driver.connect(), driver.connect());
    let entry = entry(Uuid::now_v7());
    for _ in 0..3 {
        let unit = Unit::begin(&store).await;
        assert_eq!(unit.enter(&entry).await.expect("the database is there"), Seen::First);
        unit.roll_back().await;
        let unit = Unit::begin(&other).await;
        assert_eq!(unit.enter(&entry).await.expect("the database is there"), Seen::First, "it was rolled back");
        drop(unit);
        // The database may learn late that a unit of work was dropped.
        let unit = loop {
            let unit = Unit::begin(&store).await;
            match unit.enter(&entry).await.expect("the database is there") {
                Seen::Busy => unit.roll_back().await,
                seen => {
                    assert_eq!(seen, Seen::First, "it was dropped");
                    break unit;
                }
            }
            sleep(Duration::from_millis(5)).await;
        };
        unit.roll_back().await;
    }
    assert_eq!(store.handle(&entry).await, Seen::First);
    assert_eq!(other.handle(&entry).await, Seen::Before);
}

/// Another endpoint, handler, message or generation must not be kept from its own effect.
pub async fn entries_that_differ_do_not_know_of_each_other<D: Driver>() {
    let driver = D::start(LONG).await;
    let store = driver.connect();
    let message = Uuid::now_v7();
    let one = entry(message);
    let all = [
        one,
        Entry::new("mailing", one.handler, message),
        Entry::new(one.endpoint, "billing.post", message),
        entry(Uuid::now_v7()),
        one.with_generation(1),
        one.with_generation(2),
        one.with_generation(u32::MAX),
    ];
    for entry in &all {
        assert_eq!(store.handle(entry).await, Seen::First, "{entry:?}");
    }
    for entry in &all {
        assert_eq!(store.handle(entry).await, Seen::Before, "{entry:?}");
    }
}

/// Names of any characters must stay what they are, and two names must not become one by where they end.
pub async fn names_are_told_apart_however_they_are_cut<D: Driver>() {
    let driver = D::start(LONG).await;
    let store = driver.connect();
    let message = Uuid::now_v7();
    let names = [
        ("a b", "c"),
        ("a", "b c"),
        ("a", ""),
        ("", "a"),
        ("A", "b c"),
        ("größe ' \" \\ ?1 $1", "a\nb"),
        ("a\u{1f}b", "c"),
        ("a", "b\u{1f}c"),
    ];
    for (endpoint, handler) in names {
        assert_eq!(
            store.handle(&Entry::new(endpoint, handler, message)).await,
            Seen::First,
            "{endpoint:?} {handler:?}"
        );
    }
    for (endpoint, handler) in names {
        assert_eq!(
            store.handle(&Entry::new(endpoint, handler, message)).await,
            Seen::Before,
            "{endpoint:?} {handler:?}"
        );
    }
    let long = "x".repeat(200);
    assert_eq!(store.handle(&Entry::new(&long, &long, message)).await, Seen::First);
    assert_eq!(store.handle(&Entry::new(&long, &long, message)).await, Seen::Before);
}

/// While a transaction with an equal entry is open, another one must learn soon that nobody knows yet.
pub async fn another_transaction_is_busy_and_not_waited_for<D: Driver>() {
    let driver = D::start(LONG).await;
    let (store, other) = (driver.connect(), driver.connect());
    let (entry, elsewhere) = (entry(Uuid::now_v7()), entry(Uuid::now_v7()));
    let open = Unit::begin(&store).await;
    assert_eq!(open.enter(&entry).await.expect("the database is there"), Seen::First);
    let began = Instant::now();
    assert_eq!(other.handle(&entry).await, Seen::Busy);
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for {:?}", began.elapsed());
    let expected = if D::CONCURRENT_UNITS { Seen::First } else { Seen::Busy };
    assert_eq!(other.handle(&elsewhere).await, expected, "an entry of another message");
    open.commit().await;
    assert_eq!(other.handle(&entry).await, Seen::Before);
    assert_eq!(other.handle_in_time(&elsewhere).await, if D::CONCURRENT_UNITS { Seen::Before } else { Seen::First });
}

/// However many deliveries of a message are handled at the same time, one of them must take effect.
pub async fn of_twins_at_the_same_time_one_takes_effect<D: Driver>() {
    let driver = D::start(LONG).await;
    for round in 0..10 {
        let message = Uuid::now_v7();
        let committed = Arc::new(AtomicUsize::new(0));
        let mut twins = JoinSet::new();
        for twin in 0..8 {
            let (store, committed) = (driver.connect(), committed.clone());
            twins.spawn(async move {
                let entry = entry(message);
                loop {
                    let unit = Unit::begin(&store).await;
                    match unit.enter(&entry).await.expect("the database is there") {
                        // The first try of some fails: another one must then take its place.
                        Seen::First if committed.load(Ordering::SeqCst) == 0 && twin % 4 == 3 && round % 2 == 0 => {
                            unit.roll_back().await;
                            sleep(Duration::from_millis(20)).await;
                        }
                        Seen::First => {
                            tokio::task::yield_now().await;
                            unit.commit().await;
                            committed.fetch_add(1, Ordering::SeqCst);
                            return Seen::First;
                        }
                        Seen::Before => {
                            unit.roll_back().await;
                            return Seen::Before;
                        }
                        Seen::Busy | Seen::Behind => {
                            unit.roll_back().await;
                            sleep(Duration::from_millis(2)).await;
                        }
                    }
                }
            });
        }
        let firsts = twins.join_all().await.into_iter().filter(|seen| *seen == Seen::First).count();
        assert_eq!(firsts, 1, "in round {round}");
    }
}

/// A call whose future is dropped, and then its scope, must leave neither an entry nor somebody who holds it.
pub async fn a_dropped_call_leaves_nothing<D: Driver>() {
    let driver = D::start(LONG).await;
    let store = driver.connect();
    let mut ended = 0;
    for polls in 1..200 {
        let entry = entry(Uuid::now_v7());
        let unit = Unit::begin(&store).await;
        let seen = drop_after(polls, unit.enter(&entry)).await;
        drop(unit);
        ended += usize::from(seen.is_some());
        assert_eq!(store.handle_in_time(&entry).await, Seen::First, "it was dropped after {polls} polls");
        assert_eq!(store.handle_in_time(&entry).await, Seen::Before);
        if ended > 2 {
            return;
        }
    }
    panic!("the call needs more polls than that, and was dropped in its beginning only");
}

/// The events of a handler must be committed with its entry, or not at all.
pub async fn events_are_committed_with_their_entry<D: Driver>() {
    let driver = D::start(LONG).await;
    let store = driver.connect();
    let entry = entry(Uuid::now_v7());
    let stage = async |unit: &Unit<'_>| {
        let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "Charged", *b"{}");
        let staged = [StagedMessage::new(message)];
        store.outbox.stage(&*unit.scope, &Meta::new(), &staged).await.expect("the event is staged");
    };
    let unit = Unit::begin(&store).await;
    assert_eq!(unit.enter(&entry).await.expect("the database is there"), Seen::First);
    stage(&unit).await;
    unit.roll_back().await;
    assert_eq!(driver.events().await, 0);
    let unit = Unit::begin(&store).await;
    assert_eq!(unit.enter(&entry).await.expect("the database is there"), Seen::First);
    stage(&unit).await;
    unit.commit().await;
    assert_eq!((driver.events().await, store.handle(&entry).await), (1, Seen::Before));
}

/// An entry must stay for the retention, whichever process cleans, and go some time after that.
pub async fn an_entry_is_kept_for_the_retention_and_not_for_ever<D: Driver>() {
    const RETENTION: Duration = Duration::from_millis(700);
    let driver = D::start(RETENTION).await;
    let store = driver.connect();
    assert_eq!(store.inbox.retention(), RETENTION);
    let entry = entry(Uuid::now_v7());
    let began = Instant::now();
    assert_eq!(store.handle(&entry).await, Seen::First);
    let committed = Instant::now();
    loop {
        driver.clean().await;
        let seen = store.handle_in_time(&entry).await;
        if seen == Seen::First {
            break;
        }
        assert!(committed.elapsed() < 6 * RETENTION, "it is there after {:?}", committed.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() >= RETENTION, "it was forgotten after {:?}", began.elapsed());
}

/// A cleaner must delete the old entries, however many there are, and no others.
pub async fn many_entries_are_cleaned<D: Driver>() {
    const RETENTION: Duration = Duration::from_secs(1);
    let driver = D::start(RETENTION).await;
    let store = driver.connect();
    let old: Vec<_> = (0..120).map(|_| Uuid::now_v7()).collect();
    for message in &old {
        assert_eq!(store.handle(&entry(*message)).await, Seen::First);
    }
    sleep(3 * RETENTION).await;
    let new = entry(Uuid::now_v7());
    assert_eq!(store.handle(&new).await, Seen::First);
    driver.clean().await;
    assert_eq!(store.handle(&new).await, Seen::Before);
    for message in &old {
        assert_eq!(store.handle(&entry(*message)).await, Seen::First, "it is older than it is kept");
    }
}
