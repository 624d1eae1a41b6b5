//! Who gets a row, when, and what becomes of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use diator::deliveries::{DeliveryLease, DeliverySettlement, DeliveryVerdict};
use diator::subscription::Settled;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use super::Driver;
use super::fixture::{LONG, Process, after, dead, delivery, entry, keyed, messages, with};
use crate::drop_after;

/// Enough for what should not be waited for, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Rows that are due must come from the oldest on, and not more than were asked for.
pub async fn the_oldest_come_first_and_no_more_than_asked_for<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let rows = [delivery(), delivery(), delivery(), delivery(), delivery()];
    for row in &rows {
        process.put(std::slice::from_ref(row)).await;
    }
    let of = |leased: Vec<diator::deliveries::LeasedDelivery>| -> Vec<_> {
        leased.into_iter().map(|leased| leased.delivery.message).collect()
    };
    assert!(process.lease(0).await.is_empty());
    assert_eq!(of(process.lease(2).await), messages(&rows[..2]));
    assert_eq!(of(process.lease(2).await), messages(&rows[2..4]));
    assert_eq!(of(process.lease(2).await), messages(&rows[4..]));
    assert!(process.lease(2).await.is_empty());
}

/// Of the processes that ask at the same time, exactly one must get each row.
pub async fn each_row_is_leased_by_one_process<D: Driver>() {
    let driver = D::start(LONG).await;
    let rows: Vec<_> = (0..120).map(|_| delivery()).collect();
    Process::of(&driver).put(&rows).await;
    let mut processes = JoinSet::new();
    for _ in 0..6 {
        let process = Process::of(&driver);
        processes.spawn(async move {
            let mut got = Vec::new();
            loop {
                let leased = process.lease(7).await;
                if leased.is_empty() {
                    return got;
                }
                got.extend(leased.into_iter().map(|leased| leased.delivery.message));
            }
        });
    }
    let got: Vec<_> = processes.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = got.iter().copied().collect();
    // A process may see no row while others take theirs; whatever is left is there for the next one.
    let left = Process::of(&driver).lease(1_000).await.len();
    assert_eq!((distinct.len(), got.len() + left), (got.len(), rows.len()));
}

/// A row must not come before its time, and it must come then.
pub async fn a_row_is_leased_when_it_is_due<D: Driver>() {
    const AFTER: Duration = Duration::from_millis(400);
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let began = Instant::now();
    process.put(&[after(delivery(), AFTER), after(delivery(), LONG)]).await;
    let leased = timeout(SOON, process.lease_in_time()).await.expect("it is due");
    assert!(began.elapsed() >= AFTER - Duration::from_millis(5), "it came after {:?}", began.elapsed());
    assert_eq!(leased.lost, 0);
    assert!(process.lease(10).await.is_empty());
}

/// When a lease is over, the row must come again under a higher number; the old lease must change nothing.
pub async fn a_lease_that_is_over_is_lost<D: Driver>() {
    const PERIOD: Duration = Duration::from_millis(300);
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    process.put(&[delivery()]).await;
    let mut earlier: Vec<DeliveryLease> = Vec::new();
    for lost in 0..3 {
        let began = Instant::now();
        let leased = loop {
            match other.lease_for(1, PERIOD).await.pop() {
                Some(leased) => break leased,
                None => sleep(Duration::from_millis(10)).await,
            }
        };
        if let Some(last) = earlier.last() {
            assert!(began.elapsed() >= PERIOD / 2, "it came after {:?}", began.elapsed());
            assert!(leased.lease.lease > last.lease && leased.lease.id == last.id);
        }
        assert_eq!(leased.lost, lost);
        earlier.push(leased.lease);
    }
    sleep(PERIOD).await;
    let last = timeout(SOON, process.lease_in_time()).await.expect("it is free");
    for &lease in &earlier {
        let later = DeliveryVerdict::Later { after: Duration::ZERO, failures: 9, last_failure: None };
        for verdict in [DeliveryVerdict::Handled, later, DeliveryVerdict::Released] {
            assert_eq!(process.settle(lease, verdict).await, Settled::LockLost);
        }
        assert_eq!(process.extend(&[lease], Duration::ZERO).await, [Settled::LockLost]);
    }
    assert!(other.lease(10).await.is_empty(), "it is leased still");
    assert_eq!(process.all().await[0].delivery.failures, 0);
    process.handled(&last).await;
}

/// A lease that is extended must last for the new period.
pub async fn an_extension_keeps_the_lease<D: Driver>() {
    const PERIOD: Duration = Duration::from_millis(1_000);
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    process.put(&[delivery(), delivery()]).await;
    let leased = process.lease_for(2, PERIOD).await;
    let gone = DeliveryLease { id: leased[1].lease.id, lease: leased[1].lease.lease - 1 };
    let answers = process.extend(&[leased[0].lease, gone], LONG).await;
    assert_eq!(answers, [Settled::Done, Settled::LockLost]);
    let free = timeout(SOON, other.lease_in_time()).await.expect("one was not extended");
    assert_eq!((free.lease.id, free.lost), (leased[1].lease.id, 1));
    assert!(other.lease(10).await.is_empty());
    process.handled(&leased[0]).await;
    assert_eq!(process.extend(&[leased[0].lease], LONG).await, [Settled::LockLost]);
    assert!(process.extend(&[], LONG).await.is_empty());
}

/// Each settlement must have its answer, in their order; a lease must be settled once.
pub async fn what_is_settled_is_settled_once<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    process.put(&[delivery(), delivery(), delivery()]).await;
    let leased = process.lease(3).await;
    let handled = |place: usize| DeliverySettlement { lease: leased[place].lease, verdict: DeliveryVerdict::Handled };
    assert_eq!(process.settle_all(&[handled(1)]).await, [Settled::Done]);
    let answers = process.settle_all(&[handled(0), handled(1), handled(2)]).await;
    assert_eq!(answers, [Settled::Done, Settled::LockLost, Settled::Done]);
    assert_eq!(process.settle_all(&[handled(2), handled(0)]).await, [Settled::LockLost; 2]);
    assert!(process.settle_all(&[]).await.is_empty());
    let unknown = DeliveryLease { id: i64::MAX, lease: 1 };
    assert_eq!(process.settle(unknown, DeliveryVerdict::Handled).await, Settled::LockLost);
}

/// A row whose handler is done must go.
pub async fn what_is_handled_is_gone<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    process.put(&[delivery(), delivery()]).await;
    let leased = process.lease_one().await;
    process.handled(&leased).await;
    let kept = process.all().await;
    assert!(kept.len() == 1 && kept[0].id != leased.lease.id);
}

/// A row that is due later must come then, with the failures that it was given.
pub async fn what_fails_comes_later_with_its_failures<D: Driver>() {
    const AFTER: Duration = Duration::from_millis(300);
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let row = with(delivery(), |of| (of.generation, of.failures) = (2, 1));
    process.put(std::slice::from_ref(&row)).await;
    let leased = process.lease_one().await;
    assert_eq!(leased.delivery.failures, 1);
    let began = Instant::now();
    let later = DeliveryVerdict::Later { after: AFTER, failures: 3, last_failure: None };
    assert_eq!(process.settle(leased.lease, later).await, Settled::Done);
    let again = timeout(SOON, process.lease_in_time()).await.expect("it is due");
    assert!(began.elapsed() >= AFTER - Duration::from_millis(5), "it came after {:?}", began.elapsed());
    let of = &again.delivery;
    assert_eq!((of.generation, of.failures, of.message), (2, 3, row.message));
    assert!(again.lease.lease > leased.lease.lease && again.lost == 0);
}

/// A row that a process gives back must come at once, as it was.
pub async fn what_is_released_comes_at_once<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    process.put(&[with(delivery(), |of| of.failures = 2)]).await;
    let leased = process.lease_one().await;
    assert_eq!(process.settle(leased.lease, DeliveryVerdict::Released).await, Settled::Done);
    let again = other.lease_one().await;
    assert_eq!((again.delivery, again.lost), (leased.delivery, 0));
    assert_eq!(process.settle(leased.lease, DeliveryVerdict::Handled).await, Settled::LockLost);
}

/// An endpoint must get its own rows alone.
pub async fn endpoints_do_not_see_each_other<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let mut other = delivery();
    other.endpoint = "Billing".into();
    process.put(&[other]).await;
    assert!(process.lease(10).await.is_empty());
    assert_eq!(process.next_due().await, None);
    assert_eq!(process.deliveries.lease("Billing", 10, LONG).await.expect("the database is there").len(), 1);
}

/// The store must tell the time until the next row can be leased; a row that nobody can lease must not count.
pub async fn the_next_is_told<D: Driver>() {
    const MINUTE: Duration = Duration::from_secs(60);
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let about = |told: Option<Duration>, expected: Duration| {
        let told = told.expect("there is one to wait for");
        assert!(
            told <= expected + Duration::from_secs(1) && told + MINUTE / 2 >= expected,
            "{told:?} for {expected:?}"
        );
    };
    assert_eq!(process.next_due().await, None);
    process.put(&[dead(keyed("a")), keyed("a")]).await;
    assert_eq!(process.next_due().await, None, "a dead letter, and one that it parks");
    process.put(&[after(delivery(), LONG)]).await;
    about(process.next_due().await, LONG);
    process.put(&[after(keyed("b"), 10 * MINUTE), keyed("b")]).await;
    about(process.next_due().await, 10 * MINUTE);
    process.put(&[delivery()]).await;
    assert_eq!(process.next_due().await, Some(Duration::ZERO));
    assert_eq!(process.lease_for(10, 5 * MINUTE).await.len(), 1);
    about(process.next_due().await, 5 * MINUTE);
}

/// `woken` must end when a row is put or replayed, and must otherwise wait.
pub async fn who_waits_is_woken<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    for put in 0..2 {
        process.put(&[delivery()]).await;
        timeout(SOON, process.deliveries.woken()).await.expect("a row was put before");
        let waiting = waiting(&process);
        sleep(Duration::from_millis(50)).await;
        process.put(&[dead(delivery())]).await;
        let woken = waiting.await.expect("it waits");
        assert!(woken.is_ok() || put == 1, "a row was put while somebody waited");
    }
    let waiting = waiting(&process);
    sleep(Duration::from_millis(50)).await;
    process.replay(&diator::deliveries::DeliveryFilter::dead()).await;
    let woken = waiting.await.expect("it waits");
    assert!(woken.is_ok(), "rows were replayed");
    let quiet = async {
        for _ in 0..20 {
            if timeout(Duration::from_millis(300), process.deliveries.woken()).await.is_err() {
                return;
            }
        }
        panic!("it is ready all the time");
    };
    quiet.await;
}

/// While a handler's transaction is open, a lease must be extended, unless the store says that it cannot.
pub async fn a_lease_is_extended_beside_a_handler<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    process.put(&[delivery()]).await;
    let leased = process.lease_one().await;
    let handled = delivery();
    let running = other.running(&entry(&handled)).await;
    if process.deliveries.extends_beside_handlers() {
        let extended = timeout(SOON, process.extend(&[leased.lease], LONG)).await;
        assert_eq!(extended.expect("no transaction is waited for"), [Settled::Done]);
    }
    running.roll_back().await;
}

/// A dropped call must lose no row: the row comes to the next caller, or when the lease is over.
pub async fn a_dropped_call_loses_nothing<D: Driver>() {
    const PERIOD: Duration = Duration::from_millis(100);
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let mut ended = 0;
    for polls in 1..100 {
        process.put(&[delivery()]).await;
        let leased = drop_after(polls, process.lease_for(1, PERIOD)).await;
        ended += usize::from(leased.is_some());
        let again = timeout(SOON, other.lease_in_time()).await.expect("it comes again");
        let settled = drop_after(
            polls,
            other
                .settle(again.lease, DeliveryVerdict::Later { after: Duration::ZERO, failures: 1, last_failure: None }),
        );
        if settled.await.is_none() {
            sleep(Duration::from_millis(2)).await;
            // It was settled, or it is to be: both are true, and only one at a time.
            other
                .settle(again.lease, DeliveryVerdict::Later { after: Duration::ZERO, failures: 1, last_failure: None })
                .await;
        }
        let last = timeout(SOON, process.lease_in_time()).await.expect("it is due");
        assert_eq!(last.delivery.failures, 1, "after {polls} polls");
        process.handled(&last).await;
        assert!(process.all().await.is_empty());
        if ended > 2 {
            break;
        }
    }
}

/// Waits for rows in a task of its own.
fn waiting(process: &Process) -> JoinHandle<Result<(), Elapsed>> {
    let deliveries = process.deliveries.clone();
    tokio::spawn(async move { timeout(SOON, deliveries.woken()).await })
}
