//! What becomes of a delivery that is settled.

use std::time::Duration;

use diator::subscription::{Release, Settled, Verdict};
use tokio::time::{Instant, sleep};

use super::Driver;
use super::fixture::{ENDPOINT, Process, keyed, number, numbers, outwait_lock, publish};

fn dead() -> Verdict {
    Verdict::dead_letter("the order is unknown")
}

/// An acknowledged delivery must not come again: not after its lock, not after a crash, not after an orderly end.
pub async fn what_was_acked_does_not_come_again<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..5).await;
    let held = process.take(5).await;
    process.ack(&held).await;
    outwait_lock::<D>().await;
    process.is_given_nothing::<D>().await;
    if !D::CAPABILITIES.redelivery {
        return;
    }
    let mut process = process.crash(&driver).await;
    process.is_given_nothing_for(D::CAPABILITIES.lock.unwrap_or_default() + D::QUIET).await;
    process.reopen(&driver).await.is_given_nothing::<D>().await;
}

/// A delivery that is settled twice must be done or lost the second time, and nothing must change by that.
pub async fn settling_twice_changes_nothing<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..3).await;
    let held = process.take(3).await;
    process.ack(&held).await;
    // The endpoint asks again where it did not hear the answer.
    process.try_settle(&held, &Verdict::Ack).await;
    if D::CAPABILITIES.release != Release::Impossible {
        process.try_settle(&held, &Verdict::Release).await;
    }
    process.is_given_nothing::<D>().await;
    driver.publish(&keyed(3, 0)).await;
    assert_eq!(number(&process.take_one().await), 3);
}

/// A batch must have an answer for each settlement; one that is empty has none.
pub async fn each_settlement_has_an_answer<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    assert!(process.try_settle(&[], &Verdict::Ack).await.is_empty());
    publish(&driver, 0..100).await;
    let held = process.take(100).await;
    // The first of them is settled already, the last is settled twice.
    process.ack(&held[..1]).await;
    let batch: Vec<_> = held.iter().chain(&held[99..]).cloned().collect();
    let answers = process.try_settle(&batch, &Verdict::Ack).await;
    assert!(answers[1..100].iter().all(|answer| *answer == Settled::Done), "{answers:?}");
    process.is_given_nothing::<D>().await;
}

/// Settlements from several tasks at the same time must all be done.
pub async fn tasks_settle_at_the_same_time<D: Driver>() {
    if !D::CAPABILITIES.settles_out_of_order {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..64).await;
    let held = process.take(64).await;
    let settling: Vec<_> = held
        .into_iter()
        .map(|delivery| {
            let settle = process.settle.clone();
            tokio::spawn(async move {
                let batch = [diator::subscription::Settlement::new(delivery.tag, Verdict::Ack)];
                settle.settle(&batch).await.remove(0).expect("the engine is well")
            })
        })
        .collect();
    for task in settling {
        assert_eq!(task.await.expect("it settles"), Settled::Done);
    }
    process.is_given_nothing::<D>().await;
}

/// A settled delivery must stay settled, and the others must come again. If settling has no order, a later one may be settled alone.
pub async fn what_was_not_settled_comes_again<D: Driver>() {
    if !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    // One key, so that they come in one order.
    for number in 0..10 {
        driver.publish(&keyed(number, 0)).await;
    }
    let held = process.take(10).await;
    let (settled, left) =
        if D::CAPABILITIES.settles_out_of_order { (&held[5..], &held[..5]) } else { (&held[..5], &held[5..]) };
    process.ack(settled).await;
    let left = numbers(left);
    let mut process = process.crash(&driver).await;
    let again = process.take(5).await;
    assert_eq!(numbers(&again), left);
    process.ack(&again).await;
    process.is_given_nothing::<D>().await;
}

/// A released delivery must come again at once, and say that it came before.
pub async fn what_was_released_comes_again_at_once<D: Driver>() {
    if D::CAPABILITIES.release == Release::Impossible {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    let first = process.take_one().await;
    let begun = Instant::now();
    process.settle(std::slice::from_ref(&first), &Verdict::Release).await;
    let again = process.take_one().await;
    let early = D::CAPABILITIES.lock.is_none_or(|period| begun.elapsed() < period / 2);
    assert!(early, "it came after {:?}", begun.elapsed());
    assert_eq!((number(&again), &again.position), (0, &first.position));
    assert_ne!(again.tag, first.tag, "each delivery has another tag");
    assert!(again.redelivered.perhaps(), "{again:?}");
    process.ack(&[again]).await;
    process.is_given_nothing::<D>().await;
}

/// A release must use up the engine's limit if it is counted, and must not if it costs nothing.
pub async fn a_release_costs_what_is_stated<D: Driver>() {
    let (Some(limit), true) = (D::CAPABILITIES.delivery_limit, D::CAPABILITIES.release != Release::Impossible) else {
        return;
    };
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    let counted = D::CAPABILITIES.release == Release::Counted;
    for _ in 0..if counted { limit } else { limit + 3 } {
        let delivery = process.take_one().await;
        process.settle(&[delivery], &Verdict::Release).await;
    }
    if counted {
        process.is_given_nothing::<D>().await;
    } else {
        let delivery = process.take_one().await;
        process.ack(&[delivery]).await;
    }
}

/// The engine must take a message away after as many deliveries as it states, and not earlier.
pub async fn the_limit_of_deliveries_is_kept<D: Driver>() {
    let (Some(limit), true) = (D::CAPABILITIES.delivery_limit, D::CAPABILITIES.redelivery) else { return };
    let driver = D::start().await;
    // It must be there before the message is.
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    for _ in 0..limit {
        assert_eq!(number(&process.take_one().await), 0);
        process = process.crash(&driver).await;
    }
    process.is_given_nothing_for(D::CAPABILITIES.lock.unwrap_or_default() * 2 + D::QUIET).await;
}

/// A retry must not come before its time, must come then, and must not hold up others.
pub async fn a_retry_comes_when_its_time_is_over<D: Driver>() {
    let Some(longest) = D::CAPABILITIES.delayed_retry else { return };
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    let first = process.take_one().await;
    let (after, begun) = ((D::QUIET * 4).min(longest), Instant::now());
    process.settle(std::slice::from_ref(&first), &Verdict::retry(after, 1)).await;
    driver.publish(&keyed(1, 0)).await;
    let other = process.take_one().await;
    assert_eq!(number(&other), 1);
    assert!(begun.elapsed() < after, "it was held up");
    process.ack(&[other]).await;
    let again = process.take_one().await;
    assert_eq!((number(&again), &again.position), (0, &first.position));
    // Clocks of two machines may differ a little.
    assert!(begun.elapsed() >= after - after / 20, "it came after {:?} instead of {after:?}", begun.elapsed());
    assert!(again.redelivered.perhaps(), "{again:?}");
    process.ack(&[again]).await;
    process.is_given_nothing::<D>().await;
}

/// A retry must carry the number of failures along if the engine has a place for it; otherwise the number must be zero.
pub async fn failures_travel_with_a_retry<D: Driver>() {
    let Some(longest) = D::CAPABILITIES.delayed_retry else { return };
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    let mut delivery = process.take_one().await;
    assert_eq!(delivery.failures, 0, "it has not failed yet");
    for failures in [1, 7] {
        process.settle(&[delivery], &Verdict::retry(D::QUIET.min(longest), failures)).await;
        delivery = process.take_one().await;
        assert_eq!(delivery.failures, if D::CAPABILITIES.retry_counts { failures } else { 0 });
    }
    process.ack(&[delivery]).await;
}

/// A dead letter must be readable with its reason, must not come again, and must not hold up others.
pub async fn a_dead_letter_is_kept_and_does_not_come_again<D: Driver>() {
    if !D::CAPABILITIES.dead_letters {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    let (bad, good) = (keyed(0, 0), keyed(1, 0));
    driver.publish(&bad).await;
    let delivery = process.take_one().await;
    process.settle(&[delivery], &dead()).await;
    driver.publish(&good).await;
    let delivery = process.take_one().await;
    assert_eq!(number(&delivery), 1);
    process.ack(&[delivery]).await;
    let end = Instant::now() + D::PATIENCE;
    let letters = loop {
        let letters = driver.dead_letters(ENDPOINT).await;
        if !letters.is_empty() || Instant::now() > end {
            break letters;
        }
        sleep(Duration::from_millis(20)).await;
    };
    let [letter] = &letters[..] else { panic!("there is one dead letter: {letters:?}") };
    assert_eq!(letter.body, bad.body.to_vec());
    assert!(letter.reason.contains("the order is unknown"), "{letter:?}");
    outwait_lock::<D>().await;
    process.is_given_nothing::<D>().await;
    let mut process = process.crash(&driver).await;
    process.is_given_nothing_for(D::CAPABILITIES.lock.unwrap_or_default() + D::QUIET).await;
}
