//! In which order the rows of a key come, and what the inbox sees of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::deliveries::{DeliveryFilter, DeliveryVerdict};
use diator::inbox::{Entry, Seen, Turn};
use diator::subscription::Settled;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::Driver;
use super::fixture::{ENDPOINT, HANDLER, LONG, Process, after, dead, delivery, keyed, messages, with};

/// Of the rows that hold one key, only the oldest must come; other keys must go on.
pub async fn rows_of_a_key_come_one_by_one<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let rows = [keyed("a"), keyed("a"), keyed("b"), keyed("a")];
    process.put(&rows).await;
    let mut leased = process.lease(10).await;
    assert_eq!(
        leased.iter().map(|row| row.delivery.message).collect::<Vec<_>>(),
        messages(&[rows[0].clone(), rows[2].clone()])
    );
    for next in [1, 3] {
        assert!(other.lease(10).await.is_empty(), "the first is leased");
        process.handled(&leased.remove(0)).await;
        let second = other.lease_one().await;
        assert_eq!(second.delivery.message, rows[next].message);
        leased.insert(0, second);
    }
}

/// A row that is not due, or was given back for later, must keep those of its key waiting, and nobody else.
pub async fn a_row_that_waits_keeps_those_behind_it<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let mut others = [keyed("a"), keyed("a"), keyed("a"), delivery()];
    others[0].topic = "users".into();
    others[1].endpoint = "mailing".into();
    others[2].holds_key = false;
    process.put(&[keyed("a"), keyed("a")]).await;
    process.put(&others).await;
    let leased = process.lease(10).await;
    assert_eq!(leased.len(), 4, "the first of the key, another topic, one that does not hold it, one without a key");
    for leased in &leased[1..] {
        process.handled(leased).await;
    }
    let later = DeliveryVerdict::Later { after: LONG, failures: 1, last_failure: None };
    assert_eq!(process.settle(leased[0].lease, later).await, Settled::Done);
    assert!(process.lease(10).await.is_empty());
    process.put(&[after(keyed("b"), LONG), keyed("b")]).await;
    assert!(process.lease(10).await.is_empty());
    assert_eq!(process.deliveries.lease("mailing", 10, LONG).await.expect("the database is there").len(), 1);
}

/// Rows for two handlers of a message must come one after the other, and before the next message.
pub async fn handlers_of_a_message_have_their_turns<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let first = keyed("a");
    let mut second = first.clone();
    second.handler = "billing.post".into();
    let next = keyed("a");
    process.put(&[first.clone(), second.clone(), next.clone()]).await;
    for (message, handler) in [(first.message, HANDLER), (first.message, "billing.post"), (next.message, HANDLER)] {
        let leased = process.lease_one().await;
        assert_eq!((leased.delivery.message, &*leased.delivery.handler), (message, handler));
        assert!(process.lease(10).await.is_empty());
        process.handled(&leased).await;
    }
}

/// A dead letter that holds its key must keep those behind it waiting until an operator discards it.
pub async fn a_dead_letter_that_holds_its_key_parks<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    process.put(&[keyed("a"), keyed("a"), dead(keyed("b")), keyed("b")]).await;
    let leased = process.lease_one().await;
    process.dead(&leased, true).await;
    assert!(process.lease(10).await.is_empty());
    assert_eq!(process.next_due().await, None);
    assert_eq!(process.discard(&DeliveryFilter::dead()).await, 2);
    assert_eq!(process.lease(10).await.len(), 2);
}

/// A dead letter that does not hold its key must let those behind it go on.
pub async fn a_dead_letter_that_does_not_lets_them_go<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let rows = [keyed("a"), keyed("a"), dead(with(keyed("b"), |of| of.holds_key = false)), keyed("b")];
    process.put(&rows).await;
    let leased = process.lease(10).await;
    assert_eq!(leased.len(), 2);
    process.dead(&leased[0], false).await;
    assert_eq!(process.messages().await, [rows[1].message]);
}

/// A dead letter that is replayed must have the turn that it had.
pub async fn a_replayed_one_comes_before_those_behind_it<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let rows = [dead(keyed("a")), keyed("a"), keyed("a")];
    process.put(&rows).await;
    assert!(process.lease(10).await.is_empty());
    assert_eq!(process.replay(&DeliveryFilter::dead()).await, 1);
    for row in &rows {
        let leased = process.lease_one().await;
        assert_eq!(leased.delivery.message, row.message);
        assert!(process.lease(10).await.is_empty());
        process.handled(&leased).await;
    }
}

/// Two keys must not become one by where their names end.
pub async fn keys_are_told_apart_however_they_are_cut<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let names = [("a b", "c"), ("a", "b c"), ("a", ""), ("", "a"), ("A", "b c"), ("a\u{1f}b", "c"), ("a", "b\u{1f}c")];
    let rows = names.map(|(topic, key)| with(keyed(key), |of| of.topic = topic.into()));
    process.put(&rows).await;
    assert_eq!(process.messages().await, messages(&rows));
    let long = "x".repeat(300);
    process.put(&[with(keyed(&long), |of| of.topic = long.as_str().into())]).await;
    assert_eq!(process.lease(10).await.len(), 1);
}

/// The inbox must answer `Behind` for an entry whose turn a row holds, as long as it holds it, and remember nothing of it.
pub async fn the_inbox_sees_what_holds_a_key<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let fresh = || Entry::new(ENDPOINT, HANDLER, Uuid::now_v7());
    let turn = Turn { topic: "orders", key: "a" };
    let behind = fresh().with_turn(turn);
    process
        .put(&[with(keyed("a"), |of| of.holds_key = false), dead(with(keyed("a"), |of| of.holds_key = false))])
        .await;
    assert_eq!(other.enter(&fresh().with_turn(turn)).await, Seen::First, "no row holds the key");
    process.discard(&DeliveryFilter::default()).await;

    let holder = after(keyed("a"), Duration::from_millis(50));
    process.put(std::slice::from_ref(&holder)).await;
    assert_eq!(other.enter(&behind).await, Seen::Behind, "it waits");
    assert_eq!(other.enter(&Entry::new(ENDPOINT, "billing.post", behind.message).with_turn(turn)).await, Seen::Behind);
    assert_eq!(other.enter(&Entry::new(ENDPOINT, HANDLER, holder.message).with_turn(turn)).await, Seen::Behind);
    assert!(other.is_held(ENDPOINT, turn).await, "the store says so, too");
    for turn in [Turn { topic: "users", key: "a" }, Turn { topic: "orders", key: "b" }] {
        assert_eq!(other.enter(&fresh().with_turn(turn)).await, Seen::First);
        assert!(!other.is_held(ENDPOINT, turn).await);
    }
    assert!(!other.is_held("mailing", turn).await);
    assert_eq!(other.enter(&Entry::new("mailing", HANDLER, Uuid::now_v7()).with_turn(turn)).await, Seen::First);
    assert_eq!(other.enter(&fresh()).await, Seen::First, "it has no turn");
    let handled = fresh();
    assert_eq!(other.enter(&handled).await, Seen::First);

    let leased = process.lease_in_time().await;
    assert_eq!(other.enter(&behind).await, Seen::Behind, "it is leased");
    process.dead(&leased, true).await;
    assert_eq!(other.enter(&behind).await, Seen::Behind, "it is a dead letter");
    assert_eq!(process.replay(&DeliveryFilter::dead()).await, 1);
    assert_eq!(other.enter(&behind).await, Seen::Behind, "it is replayed");
    let leased = process.lease_one().await;
    assert!(other.is_held(ENDPOINT, turn).await, "it is replayed, and leased");
    process.handled(&leased).await;
    assert!(!other.is_held(ENDPOINT, turn).await, "it is handled");
    assert_eq!(other.enter(&behind).await, Seen::First, "it is handled");
    assert_eq!(other.enter(&behind).await, Seen::Before);
}

/// However many processes lease and settle, the rows of a key must come in their order, each once.
pub async fn many_processes_keep_the_order<D: Driver>() {
    const ROWS: usize = 60;
    let driver = D::start(LONG).await;
    let rows: Vec<_> = (0..ROWS).map(|row| keyed(["a", "b", "c"][row % 3])).collect();
    Process::of(&driver).put(&rows).await;
    let done = Arc::new(Mutex::new(Vec::new()));
    let mut processes = JoinSet::new();
    for _ in 0..5 {
        let (process, done) = (Process::of(&driver), done.clone());
        processes.spawn(async move {
            while done.lock().expect("nobody panics").len() < ROWS {
                for leased in process.lease(2).await {
                    tokio::task::yield_now().await;
                    done.lock().expect("nobody panics").push(leased.delivery.message);
                    process.handled(&leased).await;
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
    processes.join_all().await;
    let done = done.lock().expect("nobody panics").clone();
    assert_eq!(done.len(), ROWS);
    let places: BTreeMap<_, _> = (0..).zip(&done).map(|(place, message)| (*message, place)).collect();
    for key in 0..3 {
        let of_key: Vec<usize> = rows.iter().skip(key).step_by(3).map(|row| places[&row.message]).collect();
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
}
