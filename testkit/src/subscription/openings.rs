//! What processes and endpoints share, what ends an opening, and what the next one gets.

use diator::subscription::{Opened, Release, Verdict};
use tokio::time::Instant;

use super::Driver;
use super::fixture::{
    ENDPOINT, PATIENCE, Process, drain, in_time, keyed, numbers, observe, observed, publish, try_open,
};

/// Processes of one endpoint must share its messages: each comes once, to one of them.
pub async fn processes_share_their_messages<D: Driver>() {
    if !D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let processes = vec![Process::open(&driver).await, Process::open(&driver).await, Process::open(&driver).await];
    publish(&driver, 0..150).await;
    let drained = drain::<D>(processes, 150).await;
    let all: Vec<_> = drained.iter().flat_map(|(_, deliveries)| deliveries.iter().cloned()).collect();
    assert_eq!(numbers(&all), (0..150).collect::<Vec<_>>());
}

/// Where processes do not share, each must get all messages.
pub async fn processes_that_do_not_share_get_all<D: Driver>() {
    if D::CAPABILITIES.competing {
        return;
    }
    let driver = D::start().await;
    let processes = vec![Process::open(&driver).await, Process::open(&driver).await];
    publish(&driver, 0..50).await;
    for (_, deliveries) in drain::<D>(processes, 100).await {
        assert_eq!(numbers(&deliveries), (0..50).collect::<Vec<_>>());
    }
}

/// Each of two endpoints must get all messages, whatever the other does with them.
pub async fn two_endpoints_get_all<D: Driver>() {
    let driver = D::start().await;
    let (mut billing, mut shipping) = (Process::open(&driver).await, Process::open_as(&driver, "shipping", &[]).await);
    publish(&driver, 0..30).await;
    let all = billing.take(30).await;
    billing.ack(&all).await;
    billing.close().await;
    assert_eq!(numbers(&all), (0..30).collect::<Vec<_>>());
    assert_eq!(numbers(&shipping.take(30).await), (0..30).collect::<Vec<_>>());
}

/// A process that ends in order must leave to the next one what it did not settle, and nothing else.
pub async fn the_next_opening_gets_what_was_not_settled<D: Driver>() {
    if !D::CAPABILITIES.redelivery {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let held = process.take(6).await;
    process.ack(&held[..2]).await;
    let settled = numbers(&held[..2]);
    process.close().await;
    let begun = Instant::now();
    let mut process = Process::open(&driver).await;
    let rest = process.take_and_ack(8).await;
    if D::CAPABILITIES.release != Release::Impossible {
        let early = D::CAPABILITIES.lock.is_none_or(|period| begun.elapsed() < period / 2);
        assert!(early, "closing must release what is held, but it came after {:?}", begun.elapsed());
    }
    assert_eq!(numbers(&rest), (0..10).filter(|number| !settled.contains(number)).collect::<Vec<_>>());
    process.is_given_nothing::<D>().await;
}

/// What is published while nobody reads must wait, where the engine is durable.
pub async fn what_is_published_meanwhile_waits<D: Driver>() {
    if !D::CAPABILITIES.durable {
        return;
    }
    let driver = D::start().await;
    Process::open(&driver).await.close().await;
    publish(&driver, 0..10).await;
    let mut process = Process::open(&driver).await;
    assert_eq!(numbers(&process.take(10).await), (0..10).collect::<Vec<_>>());
}

/// What waits under a former name must come under the new one.
pub async fn what_waits_under_a_former_name_is_not_lost<D: Driver>() {
    if !D::CAPABILITIES.durable {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let held = process.take(4).await;
    let settled = numbers(&held);
    process.ack(&held).await;
    process.close().await;
    let mut renamed = Process::open_as(&driver, "invoices", &[ENDPOINT.to_owned()]).await;
    let rest = renamed.take_and_ack(6).await;
    assert_eq!(numbers(&rest), (0..10).filter(|number| !settled.contains(number)).collect::<Vec<_>>());
    publish(&driver, 10..13).await;
    assert_eq!(numbers(&renamed.take(3).await), [10, 11, 12]);
}

/// What waits must be observed, where the engine tells it, and what is held must not count as waiting.
pub async fn what_waits_is_observed<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    if observe(&driver).await.lag.is_none() {
        return;
    }
    observed(&driver, |seen| seen.lag == Some(0) && seen.oldest.is_none_or(|oldest| oldest.is_zero())).await;
    publish(&driver, 0..7).await;
    observed(&driver, |seen| seen.lag == Some(7)).await;
    let held = process.take(3).await;
    observed(&driver, |seen| seen.lag == Some(4) && seen.unsettled.is_none_or(|held| held == 3)).await;
    process.ack(&held).await;
    observed(&driver, |seen| seen.lag == Some(4) && seen.unsettled.is_none_or(|held| held == 0)).await;
    let rest = process.take(4).await;
    process.ack(&rest).await;
    observed(&driver, |seen| seen.lag == Some(0)).await;
}

/// A source whose connection was cut must fail in time, and the next opening must get all that was not settled.
pub async fn a_cut_ends_the_source_and_loses_nothing<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let held = process.take(4).await;
    process.ack(&held[..2]).await;
    let settled = numbers(&held[..2]);
    if !driver.faults().cut().await {
        return;
    }
    let end = Instant::now() + PATIENCE;
    while process.try_next(1, PATIENCE).await.is_ok() {
        assert!(Instant::now() < end, "the source must fail");
    }
    in_time("close", process.settle.close()).await;
    drop(process);
    if D::CAPABILITIES.redelivery {
        let mut process = Process::open(&driver).await;
        let rest = process.take_and_ack(8).await;
        assert_eq!(numbers(&rest), (0..10).filter(|number| !settled.contains(number)).collect::<Vec<_>>());
        process.is_given_nothing::<D>().await;
    }
}

/// A durable engine that is started again must have all that was published and not settled.
pub async fn a_restart_loses_nothing_that_waits<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let held = process.take(4).await;
    process.ack(&held[..2]).await;
    let settled = numbers(&held[..2]);
    if !D::CAPABILITIES.durable || !driver.faults().restart().await {
        return;
    }
    drop(process);
    publish(&driver, 10..12).await;
    let mut process = Process::open(&driver).await;
    let waits =
        |number: &usize| !settled.contains(number) && (D::CAPABILITIES.redelivery || !numbers(&held).contains(number));
    let expected: Vec<_> = (0..12).filter(waits).collect();
    let rest = process.take_and_ack(expected.len()).await;
    assert_eq!(numbers(&rest), expected);
}

/// Nothing may wait for ever on an engine that does not answer: opening, observing, settling and closing must end.
pub async fn an_engine_that_does_not_answer_holds_nobody_up<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    let held = process.take_one().await;
    if !driver.faults().pause().await {
        return;
    }
    let (topics, subscription) = ([super::fixture::TOPIC.to_owned()], driver.connect());
    let wanted = diator::subscription::Wanted::new(ENDPOINT, &topics);
    let opened: Result<Opened, _> = in_time("open", subscription.open(&wanted)).await;
    assert!(opened.is_err(), "an engine that does not answer cannot be open");
    assert!(in_time("observe", subscription.observe(&wanted)).await.is_err());
    let batch = [diator::subscription::Settlement::new(held.tag, Verdict::Ack)];
    let answers = in_time("settle", process.settle.settle(&batch)).await;
    assert_eq!(answers.len(), 1, "each settlement has an answer");
    in_time("close", process.settle.close()).await;
    driver.faults().resume().await;
    Process::open(&driver).await.close().await;
}

/// An engine that is not there must fail an opening in time, and must be found when it is there again.
pub async fn an_engine_that_is_away_is_found_again<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    if !driver.faults().kill().await {
        return;
    }
    assert!(in_time("next", process.try_next(1, PATIENCE)).await.is_err(), "the source must fail");
    drop(process);
    assert!(in_time("open", try_open(&driver, ENDPOINT, &[])).await.is_err(), "nobody is there");
    driver.faults().restart().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    process.take_one().await;
}
