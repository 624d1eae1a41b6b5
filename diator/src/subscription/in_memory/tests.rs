//! What the conformance suite of subscriptions, in `tests/brokers/subscriptions.rs`, does not ask: faults, topics, and what is switched
//! off.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::InMemorySubscription;
use crate::InMemoryBroker;
use crate::broker::{MessageBroker, MessageType, OutboundMessage};
use crate::subscription::{
    Capabilities, ConsumeErrorKind, Delivery, Opened, Redelivered, Release, Settle, Settled, Settlement, Share, Source,
    Subscription, Taken, Verdict, Wanted,
};

const LOCK: Duration = Duration::from_secs(30);
const TRANSIENT: ConsumeErrorKind = ConsumeErrorKind::Transient { retry_after: None };

async fn publish(broker: &InMemoryBroker, name: &'static str, topic: Option<&'static str>) {
    let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, name, name.as_bytes());
    let message = topic.into_iter().fold(message, OutboundMessage::with_topic);
    broker.publish(&message).await.expect("it accepts");
}

/// Opens it for these topics; for none, it is the default one.
async fn open(subscription: &impl Subscription, topics: &[&str]) -> Opened {
    let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    let wanted = Wanted::new("billing", &topics);
    let wanted = if topics.is_empty() { wanted.with_default_topic() } else { wanted };
    subscription.open(&wanted).await.expect("it opens")
}

/// All that can be taken now.
async fn take(source: &mut dyn Source) -> Vec<Delivery> {
    match timeout(Duration::from_millis(1), source.next(100)).await {
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

    let topics = ["orders".to_owned()];
    let wanted = Wanted::new("shipping", &topics).with_default_topic();
    let mut both = broker.open(&wanted).await.expect("it opens");
    assert_eq!(bodies(&take(&mut *both.source).await), ["plain", "order"]);
    let wanted = Wanted::new("mailing", &[]).with_default_topic();
    let mut default = broker.open(&wanted).await.expect("it opens");
    let held = take(&mut *default.source).await;
    assert_eq!((bodies(&held), &*held[0].topic), (vec!["plain"], ""));
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
        assert_eq!(broker.open(&wanted).await.expect_err("it fails").kind(), TRANSIENT);
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
    let seen = opened.settle.observe().await.expect("it is observed");
    assert_eq!((seen.lag, seen.due), (Some(1), Some(1)));
    assert!(seen.oldest.min(seen.heard) >= Some(Duration::from_secs(5)), "{seen:?}");
    broker.deaf(false);
    assert_eq!(opened.settle.observe().await.expect("it is observed").heard, Some(Duration::ZERO));
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
    assert_eq!(settle(&*opened.settle, &held[0], Verdict::Ack).await, Err(TRANSIENT));
    broker.lose_answers(1);
    assert_eq!(settle(&*opened.settle, &held[1], Verdict::Ack).await, Err(TRANSIENT));
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
    let topics: [String; 0] = [];
    for (share, name) in [(Share::Group, "`competing`"), (Share::Broadcast, "`broadcasts`")] {
        let nothing = broker.subscription().capabilities(Capabilities::none());
        let refused = nothing.open(&Wanted::new("billing", &topics).with_share(share)).await;
        let Err(error) = refused else { panic!("it is not stated") };
        assert!(error.kind() == ConsumeErrorKind::Fatal && error.to_string().contains(name), "{error}");
    }
    let mut opened = open(&broker.subscription().capabilities(Capabilities::none().competing()), &[]).await;
    publish(&broker, "one", None).await;
    let held = take(&mut *opened.source).await;
    assert_eq!((held[0].redelivered, held[0].owner), (Redelivered::Unknown, None));
    let verdicts = [
        (Verdict::Release, "`release`"),
        (Verdict::retry(LOCK, 1), "`delayed_retry`"),
        (Verdict::dead_letter("no"), "`dead_letters`"),
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
async fn what_was_given_out_before_keeps_its_place_also_without_order() {
    let broker = InMemoryBroker::new();
    let mut opened =
        open(&broker.subscription().capabilities(Capabilities::none().competing().redelivers()), &[]).await;
    for name in ["a", "b", "c", "d", "e"] {
        publish(&broker, name, None).await;
    }
    assert!(matches!(opened.source.next(3).await, Ok(Taken::Deliveries(held)) if bodies(&held) == ["b", "a", "d"]));
    broker.expire_locks("billing");
    assert_eq!(bodies(&take(&mut *opened.source).await), ["a", "b", "d", "e", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_its_owner_where_settling_has_an_order() {
    let broker = InMemoryBroker::new();
    let log = Capabilities::none().ordered_by_key().exclusive_keys().competing().redelivers();
    let mut opened = open(&broker.subscription().capabilities(log), &[]).await;
    for _ in 0..20 {
        publish(&broker, "one", None).await;
    }
    let held = take(&mut *opened.source).await;
    let batch: Vec<_> = held.iter().map(|delivery| Settlement::new(delivery.tag, Verdict::Ack)).collect();
    broker.fail_settlements(1);
    let answers = opened.settle.settle(&batch).await;
    let failed = answers[0].as_ref().expect_err("it was told to").to_string();
    for (answer, delivery) in answers.iter().zip(&held) {
        let as_expected = match answer {
            Ok(settled) => *settled == Settled::Done && delivery.owner != held[0].owner,
            Err(error) => error.to_string() == failed && delivery.owner == held[0].owner,
        };
        assert!(as_expected, "{answer:?} for {delivery:?}");
    }
    assert!(opened.settle.settle(&batch).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_subscription_are_one_process_of_a_broadcast() {
    let (broker, wanted) = (InMemoryBroker::new(), ["orders".to_owned()]);
    let wanted = Wanted::new("cache", &wanted).with_share(Share::Broadcast);
    let mine = broker.subscription();
    publish(&broker, "one", Some("orders")).await;
    let mut opened = mine.open(&wanted).await.expect("it opens");
    let held = take(&mut *opened.source).await;
    assert_eq!(settle(&*opened.settle, &held[0], Verdict::Ack).await, Ok(Settled::Done));
    opened.settle.close().await;
    let mut again = mine.clone().open(&wanted).await.expect("it opens");
    assert!(take(&mut *again.source).await.is_empty());
    let mut other = broker.subscription().open(&wanted).await.expect("it opens");
    assert_eq!(bodies(&take(&mut *other.source).await), ["one"], "another process begins at the oldest");
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
    let ended = opened.source.next(1).await.expect_err("its connection is over");
    assert_eq!(ended.kind(), ConsumeErrorKind::Closed);
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
    let wanted = Wanted::new("invoices", &[]).with_default_topic().with_formerly(&formerly);
    let mut new = unlocked.open(&wanted).await.expect("it opens");
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
    let verdict = Verdict::retry(Duration::MAX, 1);
    assert_eq!(settle(&*opened.settle, &held[0], verdict).await, Ok(Settled::Done));
    broker.revoke("billing");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_is_listed_until_it_is() {
    let names = |broker: &InMemoryBroker| {
        let unsettled = broker.unsettled("billing")?.into_iter();
        Some(unsettled.map(|message| message.name.to_string()).collect::<Vec<_>>())
    };
    let broker = InMemoryBroker::new();
    for name in ["acked", "later", "held", "dead", "lost"] {
        publish(&broker, name, Some("orders")).await;
    }
    publish(&broker, "elsewhere", Some("bills")).await;
    assert_eq!(names(&broker), None);
    let waiting = broker.clone();
    let waiting = tokio::spawn(async move { waiting.all_settled("billing").await });

    let Opened { mut source, settle: engine } = open(&broker, &["orders"]).await;
    let mut held = take(&mut *source).await;
    held.sort_by_key(|delivery| delivery.position.clone());
    let later = Verdict::retry(3 * LOCK, 1);
    let verdicts = [Verdict::Ack, later, Verdict::Ack, Verdict::dead_letter("no")];
    for place in [0, 1, 3] {
        settle(&*engine, &held[place], verdicts[place].clone()).await.expect("it settles");
    }
    assert_eq!(names(&broker), Some(vec!["later".to_owned(), "held".to_owned(), "lost".to_owned()]));
    sleep(LOCK - Duration::from_millis(2)).await;
    settle(&*engine, &held[2], verdicts[2].clone()).await.expect("it settles");
    assert_eq!(names(&broker), Some(vec!["later".to_owned(), "lost".to_owned()]));
    assert!(!waiting.is_finished());

    for _ in 0..2 {
        sleep(2 * LOCK).await;
        let came = take(&mut *source).await;
        settle(&*engine, &came[0], Verdict::Ack).await.expect("it settles");
    }
    timeout(Duration::from_millis(1), waiting).await.expect("it hears of it").expect("it does not panic");
    assert_eq!(names(&broker), Some(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_nobody_has_is_not_waited_for_for_ever() {
    let broker = InMemoryBroker::new();
    for name in ["billing", "mailing"] {
        let wanted = Wanted::new(name, &[]);
        broker.subscription().open(&wanted).await.expect("it opens");
    }
    let (waiting, begun) = (broker.clone(), Instant::now());
    let ended = tokio::spawn(async move { waiting.all_settled("biling").await }).await.expect_err("it panics");
    let text = ended.into_panic().downcast::<String>().expect("it says why");
    assert_eq!(*text, r#"no endpoint `biling` has opened within 60s; there are {"billing", "mailing"}"#);
    assert_eq!(begun.elapsed().as_secs(), 60);

    // One that opens late is waited for.
    let waiting = broker.clone();
    let waiting = tokio::spawn(async move { waiting.all_settled("shipping").await });
    sleep(Duration::from_secs(59)).await;
    let topics = ["orders".to_owned()];
    publish(&broker, "one", Some("orders")).await;
    let mut opened = broker.open(&Wanted::new("shipping", &topics)).await.expect("it opens");
    sleep(Duration::from_secs(10)).await;
    assert!(!waiting.is_finished());
    let held = take(&mut *opened.source).await;
    settle(&*opened.settle, &held[0], Verdict::Ack).await.expect("it settles");
    timeout(Duration::from_millis(1), waiting).await.expect("it hears of it").expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_process_of_a_broadcast_that_has_gone_is_not_waited_for() {
    let topics = ["orders".to_owned()];
    let wanted = Wanted::new("cache", &topics).with_share(Share::Broadcast);
    let broker = InMemoryBroker::new();
    let (stays, goes) = (broker.subscription(), broker.subscription());
    let mut stayed = stays.open(&wanted).await.expect("it opens");
    let mut gone = goes.open(&wanted).await.expect("it opens");
    publish(&broker, "one", Some("orders")).await;
    let held = take(&mut *stayed.source).await;
    let _held = take(&mut *gone.source).await;
    settle(&*stayed.settle, &held[0], Verdict::Ack).await.expect("it settles");
    let waiting = broker.clone();
    let mut waiting = tokio::spawn(async move { waiting.all_settled("cache").await });
    // It may open again as long as it has its subscription.
    drop(gone);
    timeout(2 * LOCK, &mut waiting).await.expect_err("it is waited for");
    assert_eq!(broker.unsettled("cache").expect("it was open").len(), 1);
    let gone = goes.open(&wanted).await.expect("it opens");
    drop(goes);
    timeout(2 * LOCK, &mut waiting).await.expect_err("it is open");
    drop(gone);
    timeout(Duration::from_millis(1), waiting).await.expect("it hears of it").expect("it does not panic");
    assert_eq!(broker.unsettled("cache").expect("it was open"), []);
}
