//! What comes, how much of it, and in which order.

use std::collections::HashSet;

use diator::broker::InboundMessage;
use diator::subscription::{Redelivered, Taken};
use tokio::time::Instant;
use uuid::Uuid;

use super::Driver;
use super::fixture::{Process, TOPIC, by_key, drain, keyed, number, numbers, publish};
use crate::broker::message;
use crate::polling::drop_after;

/// [`capabilities`](diator::subscription::Subscription::capabilities) must return what [`Driver::CAPABILITIES`] states, each time.
pub async fn declares_its_capabilities<D: Driver>() {
    let driver = D::start().await;
    for _ in 0..2 {
        assert_eq!(driver.connect().capabilities(), D::CAPABILITIES);
    }
}

/// A delivery must carry everything that was published: body, topic, key, ids, trace and headers.
pub async fn a_message_arrives_as_it_was_published<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    let sent = keyed(3, 1)
        .with_correlation_id(Uuid::now_v7())
        .with_causation_id(Uuid::now_v7())
        .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .with_header("tenant", "acme \"quoted\" \\");
    let before = Instant::now();
    driver.publish(&sent).await;
    let delivery = process.take_one().await;
    assert_eq!((&*delivery.body, &*delivery.topic), (&*sent.body, TOPIC));
    let headers = delivery.headers.iter().map(|(name, value)| (&**name, &**value));
    let read = InboundMessage::decode(&delivery.body, delivery.content_type.as_deref(), headers);
    let read = read.expect("the message can be read");
    assert_eq!((read.id, &*read.name, read.message_type), (sent.id, &*sent.name, sent.message_type));
    if D::CARRIES_HEADERS {
        assert_eq!(delivery.key.as_deref(), sent.key.as_deref());
        assert_eq!((read.correlation_id, read.causation_id), (sent.correlation_id, sent.causation_id));
        assert_eq!((read.traceparent, read.headers), (sent.traceparent, sent.headers));
    }
    assert!(delivery.received <= Instant::now(), "its lock begins in the future");
    let lock = D::CAPABILITIES.lock.unwrap_or_default();
    assert!(delivery.received + lock + D::PATIENCE > before, "its lock began long ago");
}

/// A first delivery must not claim that it came before.
pub async fn a_first_delivery_is_none_that_comes_again<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..20).await;
    for delivery in process.take(20).await {
        let first = !delivery.redelivered.perhaps() || delivery.redelivered == Redelivered::Unknown;
        assert!(first, "{delivery:?}");
        assert!(!D::CAPABILITIES.counts || delivery.redelivered != Redelivered::Unknown, "it must count");
    }
}

/// Each of 200 messages must come once while nothing fails, each under another tag.
pub async fn each_message_comes_once<D: Driver>() {
    let driver = D::start().await;
    let process = Process::open(&driver).await;
    publish(&driver, 0..200).await;
    let drained = drain::<D>(vec![process], 200).await;
    let [(_, all)] = &drained[..] else { unreachable!("there is one process") };
    assert_eq!(numbers(all), (0..200).collect::<Vec<_>>());
    assert_eq!(all.iter().map(|delivery| delivery.tag).collect::<HashSet<_>>().len(), 200, "a tag came twice");
}

/// Deliveries must never be more than the credit.
pub async fn credit_is_a_bound<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..40).await;
    let mut came = Vec::new();
    for credit in [1, 3, 1, 7, 2].into_iter().cycle() {
        // The process asserts that it is not given more.
        let more = process.next(credit, D::PATIENCE).await.expect("there is more");
        came.extend(more);
        if came.len() >= 30 {
            break;
        }
    }
    process.ack(&came).await;
    let rest = process.take(40 - came.len()).await;
    process.ack(&rest).await;
    came.extend(rest);
    assert_eq!(numbers(&came), (0..40).collect::<Vec<_>>());
}

/// Without credit nothing may be delivered, and messages that came meanwhile must come when there is credit.
pub async fn nothing_comes_without_credit<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    for _ in 0..3 {
        // The process asserts that it is given none.
        assert!(process.next(0, D::QUIET).await.is_none(), "it has no credit");
    }
    assert_eq!(numbers(&process.take_and_ack(10).await), (0..10).collect::<Vec<_>>());
    process.is_given_nothing::<D>().await;
}

/// A process must leave messages for which it has no credit to others at once, if they share without owners.
pub async fn nothing_is_hoarded<D: Driver>() {
    if !D::CAPABILITIES.competing || D::CAPABILITIES.exclusive_keys {
        return;
    }
    let driver = D::start().await;
    let (mut idle, mut busy) = (Process::open(&driver).await, Process::open(&driver).await);
    publish(&driver, 0..20).await;
    let one = idle.take_one().await;
    let mut all = busy.take(19).await;
    busy.ack(&all).await;
    all.push(one);
    assert_eq!(numbers(&all), (0..20).collect::<Vec<_>>());
}

/// Dropping `next` at any await must lose no delivery, double none and not change their order.
pub async fn a_dropped_next_loses_nothing<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    let mut came = Vec::new();
    for round in 0..60 {
        driver.publish(&keyed(round, round % 7)).await;
        let taken = drop_after(1 + round % 4, process.source.next(1 + round % 3)).await;
        if let Some(taken) = taken
            && let Taken::Deliveries(deliveries) = process.note(taken.expect("the engine is well"))
        {
            process.ack(&deliveries).await;
            came.extend(deliveries);
        }
    }
    let rest = process.take(60 - came.len()).await;
    process.ack(&rest).await;
    came.extend(rest);
    let known = |redelivered: Redelivered| redelivered.perhaps() && redelivered != Redelivered::Unknown;
    let lost: Vec<_> = came.iter().filter(|delivery| known(delivery.redelivered)).map(number).collect();
    assert!(lost.is_empty(), "messages {lost:?} were lost by a drop, until they came again");
    assert_eq!(numbers(&came), (0..60).collect::<Vec<_>>());
    assert!(!D::CAPABILITIES.ordered_by_key || by_key(&came).values().all(|numbers| numbers.is_sorted()));
    process.is_given_nothing::<D>().await;
}

/// Deliveries of one key must come in the order in which they were published.
pub async fn deliveries_of_a_key_come_in_order<D: Driver>() {
    if !D::CAPABILITIES.ordered_by_key {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..300).await;
    let mut came = Vec::new();
    while came.len() < 300 {
        let more = process.next(1 + came.len() % 11, D::PATIENCE).await.expect("there is more");
        process.ack(&more).await;
        came.extend(more);
    }
    for (key, numbers) in by_key(&came) {
        assert!(numbers.is_sorted(), "{key} came as {numbers:?}");
    }
}

/// Messages of topics that the endpoint did not name must not come.
pub async fn other_topics_do_not_come<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&message(0).with_topic("payments").with_key("key-0")).await;
    driver.publish(&keyed(1, 0)).await;
    assert_eq!(number(&process.take_one().await), 1);
    process.is_given_nothing::<D>().await;
}

/// An endpoint that comes for the first time must get the messages that were published before, if the driver states that.
pub async fn who_comes_late_gets_what_was_retained<D: Driver>() {
    if !D::RETAINS {
        return;
    }
    let driver = D::start().await;
    publish(&driver, 0..20).await;
    let mut process = Process::open(&driver).await;
    assert_eq!(numbers(&process.take(20).await), (0..20).collect::<Vec<_>>());
}

/// Settled messages must come once more after a replay, if the engine can do that.
pub async fn what_was_settled_is_replayed<D: Driver>() {
    if !D::CAPABILITIES.replayable {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let first = process.take(10).await;
    process.ack(&first).await;
    process.is_given_nothing::<D>().await;
    driver.replay(super::fixture::ENDPOINT).await;
    let mut process = process.reopen(&driver).await;
    let again = process.take(10).await;
    assert_eq!(numbers(&again), numbers(&first));
    process.ack(&again).await;
    process.is_given_nothing::<D>().await;
}
