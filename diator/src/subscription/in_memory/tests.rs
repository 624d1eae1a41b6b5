//! What the conformance suite of subscriptions, in `tests/brokers/subscriptions.rs`, does not ask: faults, topics, and what is switched
//! off.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::InMemorySubscription;
use crate::InMemoryBroker;
use crate::broker::{EventRoute, MessageBroker, MessageType, OutboundMessage};
use crate::subscription::{
    Capabilities, ConsumeErrorKind, Delivery, Opened, Redelivered, Release, Settle, Settled, Settlement, Source,
    Subscription, Taken, Verdict, Wanted,
};

const LOCK: Duration = Duration::from_secs(30);

async fn publish(broker: &InMemoryBroker, name: &'static str, topic: Option<&'static str>) {
    let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, name, name.as_bytes());
    let message = topic.into_iter().fold(message, OutboundMessage::with_topic);
    broker.publish(&message).await.expect("it accepts");
}

async fn open(subscription: &impl Subscription, topics: &[&str]) -> Opened {
    let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    subscription.open(&Wanted::new("billing", &topics)).await.expect("it opens")
}

/// All that can be taken now.
async fn take(source: &mut dyn Source) -> Vec<Delivery> {
    let credit = NonZeroUsize::new(100).expect("it is more than zero");
    match timeout(Duration::from_millis(1), source.next(credit)).await {
        Ok(Ok(Taken::Deliveries(deliveries))) => deliveries,
        Err(_) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| std::str::from_utf8(&delivery.body).expect("it is text")).collect()
}

async fn settle(settle: &dyn Settle, delivery: &Delivery, verdict: Verdict) -> Result<Settled, ConsumeErrorKind> {
    let answer = settle.settle(&[Settlement::new(delivery.tag, verdict)]).await.remove(0);
    answer.map_err(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn events_without_a_topic_come_to_who_wants_them() {
    let broker = InMemoryBroker::new();
    publish(&broker, "plain", None).await;
    publish(&broker, "order", Some("orders")).await;
    let Opened { mut source, settle } = open(&broker, &["orders"]).await;
    let held = take(&mut *source).await;
    assert_eq!((bodies(&held), &*held[0].topic, held[0].position.as_deref()), (vec!["order"], "orders", Some("1")));
    settle.close().await;

    let (topics, events) = (["orders".to_owned()], [EventRoute::new(MessageType::Notification, "plain")]);
    let wanted = Wanted::new("shipping", &topics).with_events(&events);
    let mut both = broker.open(&wanted).await.expect("it opens");
    assert_eq!(bodies(&take(&mut *both.source).await), ["plain", "order"]);
    let mut default = broker.open(&Wanted::new("mailing", &[])).await.expect("it opens");
    let held = take(&mut *default.source).await;
    assert_eq!((bodies(&held), &*held[0].topic), (vec!["plain"], InMemoryBroker::DEFAULT_TOPIC));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_added_later_brings_what_was_published_to_it() {
    let broker = InMemoryBroker::new();
    publish(&broker, "order", Some("orders")).await;
    publish(&broker, "payment", Some("payments")).await;
    let Opened { mut source, settle: settling } = open(&broker, &["orders"]).await;
    let held = take(&mut *source).await;
    assert_eq!(settle(&*settling, &held[0], Verdict::Ack).await, Ok(Settled::Done));
    settling.close().await;
    let mut later = open(&broker, &["orders", "payments"]).await;
    assert_eq!(bodies(&take(&mut *later.source).await), ["payment"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_does_not_know_a_topic_yet_is_given_nothing_of_it() {
    let broker = InMemoryBroker::new();
    let shared = broker.subscription().capabilities(Capabilities::none().competing().redelivers());
    let (mut old, mut new) = (open(&shared, &["orders"]).await, open(&shared, &["orders", "payments"]).await);
    publish(&broker, "payment", Some("payments")).await;
    assert!(take(&mut *old.source).await.is_empty());
    assert_eq!(bodies(&take(&mut *new.source).await), ["payment"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_from_a_broker_comes_to_those_who_wait_alone() {
    let broker = InMemoryBroker::new();
    let mut waiting = open(&broker, &["orders"]).await;
    publish(&broker, "order", Some("orders")).await;
    assert_eq!(broker.take_published().len(), 1);
    let wanted = ["orders".to_owned()];
    let mut late = broker.open(&Wanted::new("late", &wanted)).await.expect("it opens");
    assert!(take(&mut *late.source).await.is_empty());
    let held = take(&mut *waiting.source).await;
    assert_eq!(bodies(&held), ["order"]);
    assert_eq!(settle(&*waiting.settle, &held[0], Verdict::Ack).await, Ok(Settled::Done));
    assert_eq!(broker.replay("billing"), 0);
}

#[tokio::test(start_paused = true)]
async fn openings_fail_as_often_as_they_are_told_to() {
    let broker = InMemoryBroker::new();
    broker.fail_openings(2);
    let wanted = Wanted::new("billing", &[]);
    for _ in 0..2 {
        assert_eq!(broker.open(&wanted).await.expect_err("it fails").kind(), ConsumeErrorKind::Transient);
    }
    broker.open(&wanted).await.expect("it opens");
}

#[tokio::test(start_paused = true)]
async fn a_deaf_source_yields_nothing_until_it_hears_again() {
    let broker = InMemoryBroker::new();
    let mut opened = open(&broker, &[]).await;
    broker.deaf(true);
    publish(&broker, "unheard", None).await;
    assert!(take(&mut *opened.source).await.is_empty());
    sleep(Duration::from_secs(5)).await;
    let seen = broker.observe(&Wanted::new("billing", &[])).await.expect("it is observed");
    assert_eq!((seen.lag, seen.unsettled), (Some(1), Some(0)));
    assert!(seen.oldest >= Some(Duration::from_secs(5)));
    broker.deaf(false);
    assert_eq!(bodies(&take(&mut *opened.source).await), ["unheard"]);
}

#[tokio::test(start_paused = true)]
async fn settlements_fail_hang_and_lose_their_answers() {
    let broker = InMemoryBroker::new();
    let mut opened = open(&broker, &[]).await;
    for name in ["fails", "is done"] {
        publish(&broker, name, None).await;
    }
    let held = take(&mut *opened.source).await;
    broker.fail_settlements(1);
    assert_eq!(settle(&*opened.settle, &held[0], Verdict::Ack).await, Err(ConsumeErrorKind::Transient));
    broker.lose_answers(1);
    assert_eq!(settle(&*opened.settle, &held[1], Verdict::Ack).await, Err(ConsumeErrorKind::Transient));
    assert_eq!(settle(&*opened.settle, &held[1], Verdict::Ack).await, Ok(Settled::Done), "it was done before");
    broker.hang_settlements(true);
    let hanging = timeout(Duration::from_secs(1), settle(&*opened.settle, &held[0], Verdict::Ack)).await;
    assert!(hanging.is_err());
    broker.hang_settlements(false);
    sleep(LOCK).await;
    assert_eq!(bodies(&take(&mut *opened.source).await), ["fails"], "what hung was not done");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_stated_is_refused_by_its_name() {
    let broker = InMemoryBroker::new();
    let mut opened = open(&broker.subscription().capabilities(Capabilities::none()), &[]).await;
    publish(&broker, "one", None).await;
    let held = take(&mut *opened.source).await;
    assert_eq!((held[0].redelivered, held[0].owner), (Redelivered::Unknown, None));
    let verdicts = [
        (Verdict::Release, "`release`"),
        (Verdict::Retry { after: LOCK }, "`delayed_retry`"),
        (Verdict::DeadLetter { reason: "no".into() }, "`native_dead_letter`"),
    ];
    for (verdict, name) in verdicts {
        let error = opened.settle.settle(&[Settlement::new(held[0].tag, verdict)]).await.remove(0);
        let error = error.expect_err("it is not stated");
        assert!(error.kind() == ConsumeErrorKind::Fatal && error.to_string().contains(name), "{error}");
    }
    let error = opened.settle.extend(&[held[0].tag]).await.remove(0).expect_err("it is not stated");
    assert!(error.to_string().contains("`extends`"), "{error}");
    assert_eq!(settle(&*opened.settle, &held[0], Verdict::Ack).await, Ok(Settled::Done));
}

#[tokio::test(start_paused = true)]
async fn without_order_messages_change_places_and_settling_may_need_order() {
    let broker = InMemoryBroker::new();
    let in_order = Capabilities::none().competing().redelivers();
    let mut opened = open(&broker.subscription().capabilities(in_order), &[]).await;
    for name in ["a", "b", "c"] {
        publish(&broker, name, None).await;
    }
    let held = take(&mut *opened.source).await;
    assert_eq!(bodies(&held), ["b", "a", "c"]);
    assert_eq!(settle(&*opened.settle, &held[1], Verdict::Ack).await, Err(ConsumeErrorKind::Fatal));
    for delivery in &held {
        assert_eq!(settle(&*opened.settle, delivery, Verdict::Ack).await, Ok(Settled::Done));
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_engine_makes_dead_letters() {
    let broker = InMemoryBroker::new();
    let limited = InMemorySubscription::CAPABILITIES.delivery_limit(2).releases(Release::Counted);
    let mut opened = open(&broker.subscription().capabilities(limited), &[]).await;
    publish(&broker, "poison", None).await;
    for _ in 0..2 {
        let held = take(&mut *opened.source).await;
        assert_eq!(settle(&*opened.settle, &held[0], Verdict::Release).await, Ok(Settled::Done));
    }
    assert!(take(&mut *opened.source).await.is_empty());
    let letters = broker.dead_letters("billing");
    assert_eq!((letters.len(), letters[0].deliveries, &*letters[0].message.name), (1, 2, "poison"));
    assert!(broker.dead_letters("shipping").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stores_nothing_forgets_at_a_restart() {
    let broker = InMemoryBroker::new();
    let volatile = broker.subscription().capabilities(Capabilities::none().competing().redelivers());
    let mut opened = open(&volatile, &[]).await;
    publish(&broker, "before", None).await;
    broker.restart();
    let ended = opened.source.next(NonZeroUsize::MIN).await.expect_err("its connection is over");
    assert_eq!(ended.kind(), ConsumeErrorKind::Transient);
    let mut opened = open(&volatile, &[]).await;
    publish(&broker, "after", None).await;
    assert_eq!(bodies(&take(&mut *opened.source).await), ["after"]);
    assert_eq!(broker.len(), 2, "tests still see what was published");
}

#[tokio::test(start_paused = true)]
async fn processes_of_both_names_share_while_one_is_renamed() {
    let broker = InMemoryBroker::new();
    let unlocked = broker.subscription().capabilities(Capabilities::none().competing().redelivers());
    let mut old = open(&unlocked, &[]).await;
    let formerly = ["billing".to_owned()];
    let mut new = unlocked.open(&Wanted::new("invoices", &[]).with_formerly(&formerly)).await.expect("it opens");
    publish(&broker, "one", None).await;
    assert_eq!(bodies(&take(&mut *old.source).await), ["one"]);
    assert!(take(&mut *new.source).await.is_empty());
    drop(old);
    assert_eq!(bodies(&take(&mut *new.source).await), ["one"], "what the old one left comes to the new one");
}

#[tokio::test(start_paused = true)]
async fn openings_of_one_endpoint_must_agree() {
    let broker = InMemoryBroker::new();
    let _opened = open(&broker, &[]).await;
    let other = broker.subscription().capabilities(InMemorySubscription::CAPABILITIES.delivery_limit(3));
    let error = other.open(&Wanted::new("billing", &[])).await.expect_err("they differ");
    assert_eq!(error.kind(), ConsumeErrorKind::Fatal);
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_are_no_trouble() {
    let broker = InMemoryBroker::new();
    let endless = InMemorySubscription::CAPABILITIES.locks_for(Duration::MAX).delayed_retry(Duration::MAX);
    let mut opened = open(&broker.subscription().capabilities(endless).handover(Duration::MAX), &[]).await;
    publish(&broker, "one", None).await;
    let held = take(&mut *opened.source).await;
    let verdict = Verdict::Retry { after: Duration::MAX };
    assert_eq!(settle(&*opened.settle, &held[0], verdict).await, Ok(Settled::Done));
    broker.revoke("billing");
}
