//! What a lock keeps away, what ends it, and what comes again after that.

use std::time::Duration;

use diator::subscription::{Delivery, Redelivered, Settled, Verdict};
use tokio::time::{Instant, sleep_until};

use super::Driver;
use super::fixture::{ENDPOINT, Process, keyed, number, numbers, outwait_lock, publish};

/// A driver whose deliveries come again, each by itself, when their locks are over.
fn locks<D: Driver>() -> Option<Duration> {
    D::CAPABILITIES.lock.filter(|_| D::CAPABILITIES.redelivery && !D::CAPABILITIES.lock_ends_opening)
}

/// A process that took one message, which is number 0.
async fn holding_one<D: Driver>(driver: &D) -> (Process, Delivery) {
    let mut process = Process::open(driver).await;
    driver.publish(&keyed(0, 0)).await;
    let delivery = process.take_one().await;
    (process, delivery)
}

/// A delivery must come to nobody while it is locked, and again when that is over, under another tag and at the same place.
pub async fn what_is_locked_comes_again_when_that_is_over<D: Driver>() {
    let Some(period) = locks::<D>() else { return };
    let driver = D::start().await;
    let (mut process, first) = holding_one(&driver).await;
    // Clocks of two machines may differ a little.
    let over = first.received + period - period / 10;
    let again = process.take_one().await;
    assert!(Instant::now() >= over, "it came {:?} before its lock was over", over - Instant::now());
    assert_eq!((number(&again), &again.topic, &again.position), (0, &first.topic, &first.position));
    assert_ne!(again.tag, first.tag, "each delivery has another tag");
    assert!(again.redelivered.perhaps(), "{again:?}");
    process.ack(&[again]).await;
    outwait_lock::<D>().await;
    process.is_given_nothing::<D>().await;
}

/// A settlement after the end of the lock must be answered as lost, and must change nothing.
pub async fn a_late_settlement_changes_nothing<D: Driver>() {
    if locks::<D>().is_none() {
        return;
    }
    let driver = D::start().await;
    let (mut process, late) = holding_one(&driver).await;
    let again = process.take_one().await;
    assert_eq!(number(&again), 0);
    let late = [late];
    assert_eq!(process.try_settle(&late, &Verdict::Ack).await, [Settled::LockLost]);
    if D::CAPABILITIES.dead_letters {
        let verdict = Verdict::dead_letter("too late");
        assert_eq!(process.try_settle(&late, &verdict).await, [Settled::LockLost]);
        assert_eq!(driver.dead_letters(ENDPOINT).await, []);
    }
    // Nobody has settled it, so it comes again.
    let third = process.take_one().await;
    assert_eq!(number(&third), 0);
    process.ack(&[third]).await;
    outwait_lock::<D>().await;
    process.is_given_nothing::<D>().await;
}

/// A delivery whose lock begins anew in time must come to nobody, for as long as that goes on, and can be settled.
pub async fn an_extension_keeps_the_lock<D: Driver>() {
    let Some(period) = locks::<D>().filter(|_| D::CAPABILITIES.extends) else { return };
    let driver = D::start().await;
    let (mut process, held) = holding_one(&driver).await;
    for third in 1..=9 {
        process
            .is_given_nothing_for((held.received + period * third / 3).saturating_duration_since(Instant::now()))
            .await;
        assert_eq!(process.extend(&held).await, Settled::Done, "after {third} thirds of the period");
    }
    process.ack(&[held]).await;
    outwait_lock::<D>().await;
    process.is_given_nothing::<D>().await;
}

/// A lock must be over one period after its last extension, and one that is over must not begin anew.
pub async fn what_is_lost_cannot_be_extended<D: Driver>() {
    let Some(period) = locks::<D>().filter(|_| D::CAPABILITIES.extends) else { return };
    let driver = D::start().await;
    let (mut process, held) = holding_one(&driver).await;
    sleep_until(held.received + period / 2).await;
    let extended = Instant::now();
    assert_eq!(process.extend(&held).await, Settled::Done);
    let again = process.take_one().await;
    assert!(extended.elapsed() >= period - period / 10, "it came {:?} after it was extended", extended.elapsed());
    assert_eq!(process.extend(&held).await, Settled::LockLost);
    assert_eq!(process.extend(&again).await, Settled::Done);
    process.ack(&[again]).await;
}

/// A lock that is over must end the opening, if the driver states that; every delivery of the opening must come again.
pub async fn a_lock_that_is_over_ends_the_opening<D: Driver>() {
    let Some(period) = D::CAPABILITIES.lock.filter(|_| D::CAPABILITIES.lock_ends_opening) else { return };
    let driver = D::start().await;
    let (mut process, first) = holding_one(&driver).await;
    sleep_until(first.received + period / 2).await;
    driver.publish(&keyed(1, 1)).await;
    let second = process.take_one().await;
    process.ends().await;
    process.has_lost::<D>(&[first, second]).await;
    if D::CAPABILITIES.redelivery {
        let mut process = process.crash(&driver).await;
        assert_eq!(numbers(&process.take_and_ack(2).await), [0, 1]);
    }
}

/// Every delivery of a process that crashed must come again, at the latest when its lock is over.
pub async fn what_a_crash_left_comes_again<D: Driver>() {
    if !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..20).await;
    let held = process.take(12).await;
    let settled: Vec<_> = held[..4].iter().map(number).collect();
    process.ack(&held[..4]).await;
    let mut process = process.crash(&driver).await;
    let rest = process.take_and_ack(16).await;
    let expected: Vec<_> = (0..20).filter(|number| !settled.contains(number)).collect();
    assert_eq!(numbers(&rest), expected);
    let held = numbers(&held);
    for delivery in rest.iter().filter(|delivery| held.contains(&number(delivery))) {
        assert!(delivery.redelivered.perhaps(), "{delivery:?}");
    }
    process.is_given_nothing::<D>().await;
}

/// A delivery that the source of a process did not yield must go to another process, at the latest when its lock is over.
pub async fn what_a_dropped_source_did_not_yield_goes_back<D: Driver>() {
    if !D::CAPABILITIES.redelivery || !D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let one = process.take(1).await;
    let (first, settle) = (number(&one[0]), process.settle.clone());
    // An endpoint that stops does not read any more, but settles what it has.
    let Process { source, .. } = process;
    drop(source);
    let batch = [diator::subscription::Settlement::new(one[0].tag, Verdict::Ack)];
    let answers = settle.settle(&batch).await;
    assert!(matches!(answers[..], [Ok(Settled::Done)]), "{answers:?}");
    settle.close().await;
    let mut other = Process::open(&driver).await;
    let rest = other.take_and_ack(9).await;
    assert_eq!(numbers(&rest), (0..10).filter(|number| *number != first).collect::<Vec<_>>());
}

/// A delivery must say how often it came before, if the engine counts.
pub async fn deliveries_are_counted<D: Driver>() {
    if !D::CAPABILITIES.counts || !D::CAPABILITIES.redelivery {
        return;
    }
    let most = D::CAPABILITIES.delivery_limit.map_or(3, |limit| limit.saturating_sub(1).min(3));
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    for before in 0..=most {
        let delivery = process.take_one().await;
        let fits = match delivery.redelivered {
            Redelivered::No => before == 0,
            Redelivered::Times(times) => times == before,
            _ => false,
        };
        assert!(fits, "it came {before} times before: {delivery:?}");
        process = process.crash(&driver).await;
    }
}

/// A delivery whose lock the engine ended must come again, and settling it must change nothing.
pub async fn a_lock_that_the_engine_ended_is_lost<D: Driver>() {
    if !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let (mut process, held) = holding_one(&driver).await;
    if !driver.faults().expire(ENDPOINT).await {
        return;
    }
    if D::CAPABILITIES.lock_ends_opening {
        process.ends().await;
        process.has_lost::<D>(&[held]).await;
        process = process.crash(&driver).await;
        let again = process.take_one().await;
        process.ack(&[again]).await;
        return;
    }
    let again = process.take_one().await;
    assert_eq!(number(&again), 0);
    assert_eq!(process.try_settle(&[held], &Verdict::Ack).await, [Settled::LockLost]);
    process.ack(&[again]).await;
    outwait_lock::<D>().await;
    process.is_given_nothing::<D>().await;
}
