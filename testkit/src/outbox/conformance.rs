//! The cases of the suite: the promises of an outbox to a mediator, a relay and an operator.
//!
//! Each function is a case, and panics if the store does not keep its promise.
//! [`outbox_conformance!`](crate::outbox_conformance) makes a test of each.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diator::broker::{MessageType, OutboundMessage};
use diator::outbox::{
    Claim, Cursor, DeadLetterFilter, OutboxRow, OutboxStatus, PARTITIONS, ParkedKey, Skip, SkippedRoute, StagedMessage,
    Verdict, partition_of,
};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::Driver;
use super::fixture::{LONG, Unit, a_relay, dead, keyed, names, settlements};

/// A claim must return every field of a message as it was staged.
pub async fn messages_come_back_as_they_were_staged<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let plain = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "Plain", *b"");
    let full = OutboundMessage::new(Uuid::now_v7(), MessageType::Ecst, "Full", vec![0, 255, b'\'', b'"', 0])
        .with_topic("größe ' \" \\ ?1 $1")
        .with_key("a key\nof two lines, with 😀")
        .with_correlation_id(Uuid::now_v7())
        .with_causation_id(Uuid::now_v7())
        .with_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .with_content_type("application/cloudevents+json")
        .with_header("tenant", "acme \"quoted\" \\")
        .with_header("a", "");
    store.put([plain.clone(), full.clone()]).await;
    let mut rows = store.claim(&store.lease_all(a_relay()).await).await;
    rows.sort_by_key(|row| row.place.seq);
    assert_eq!(rows.iter().map(|row| row.attempts).collect::<Vec<_>>(), [0, 0]);
    for row in &rows {
        assert_eq!(row.place.partition, partition_of(&row.message));
    }
    assert_eq!(rows.into_iter().map(|row| row.message).collect::<Vec<_>>(), [plain, full]);
}

/// The numbers in a partition must grow in the order of the messages, within a unit of work and from one to the next.
pub async fn messages_of_a_partition_come_in_their_order<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let staged: Vec<_> = (0..500).map(|index| keyed("Counted", &(index % 7).to_string())).collect();
    store.put(staged[..1].to_vec()).await;
    store.put(staged[1..21].to_vec()).await;
    store.put(staged[21..].to_vec()).await;
    let rows = store.claim(&store.lease_all(a_relay()).await).await;
    assert_eq!(rows.len(), staged.len());
    for key in (0..7).map(|key| Some(key.to_string())) {
        let sent = staged.iter().filter(|message| message.key == key).map(|message| message.id);
        let read = rows.iter().filter(|row| row.message.key == key);
        assert!(read.clone().is_sorted_by_key(|row| row.place.seq), "rows of a partition are out of order");
        assert!(sent.eq(read.map(|row| row.message.id)), "messages of key {key:?} are out of order");
    }
}

/// A unit of work that does not commit must leave no message, whether it rolls back or is dropped.
pub async fn what_was_rolled_back_or_dropped_leaves_nothing<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    if store.outbox.unit_of_work().is_none() {
        return;
    }
    let late = StagedMessage::new(keyed("Delayed", "1")).after(Duration::from_millis(1));
    let mut unit = Unit::begin(&store).await;
    unit.stage(&[StagedMessage::new(keyed("RolledBack", "1")), late.clone()]).await;
    unit.roll_back().await;
    let mut unit = Unit::begin(&store).await;
    unit.stage(&[StagedMessage::new(keyed("Dropped", "1")), late]).await;
    drop(unit);
    store.put([keyed("Committed", "1")]).await;
    sleep(Duration::from_millis(20)).await;
    let leases = store.lease_all(a_relay()).await;
    assert_eq!(names(&store.claim(&leases).await), ["Committed"]);
    assert_eq!(store.relay.status().await.expect("the database is there").scheduled, 0);
}

/// A partition must have one owner only, however many relays lease at the same time.
pub async fn two_relays_never_own_one_partition<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    store.put((0..1_000).map(|key| keyed("Spread", &key.to_string()))).await;
    let mut relays = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = driver.connect();
        relays.spawn(async move {
            let (relay, mut leased) = (a_relay(), Vec::new());
            loop {
                // A store may be busy; the relay then tries again.
                match store.relay.lease(relay, 3, LONG).await {
                    Ok(more) if more.partitions.is_empty() => break leased,
                    Ok(more) => {
                        assert!(more.partitions.len() <= 3, "{} partitions instead of 3", more.partitions.len());
                        leased.extend(more.partitions);
                    }
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            }
        });
    }
    let leased: Vec<_> = relays.join_all().await.into_iter().flatten().map(|lease| lease.partition).collect();
    let different: HashSet<_> = leased.iter().copied().collect();
    assert_eq!((leased.len(), different.len()), (PARTITIONS.into(), PARTITIONS.into()));
}

/// A lease must end by itself, and when it is released; each owner must have a higher epoch than the one before.
pub async fn a_lease_ends_with_its_period_or_its_release<D: Driver>() {
    let driver = D::start().await;
    let (store, other) = (driver.connect(), driver.connect());
    store.put([keyed("One", "1")]).await;
    let first = store.relay.lease(a_relay(), 1, Duration::from_millis(500)).await.expect("the database is there");
    let [first] = first.partitions[..] else { panic!("one partition has work: {first:?}") };
    assert_eq!(other.lease_all(a_relay()).await, [], "it has an owner");
    sleep(Duration::from_millis(600)).await;
    let second = other.lease_all(a_relay()).await;
    assert_eq!(second.len(), 1, "its lease is over");
    assert!(second[0].epoch > first.epoch, "{second:?} after {first:?}");
    store.relay.release(&[first]).await.expect("the database is there");
    assert_eq!(store.lease_all(a_relay()).await, [], "who is no owner can release nothing");
    other.relay.release(&second).await.expect("the database is there");
    let third = store.lease_all(a_relay()).await;
    assert_eq!(third.len(), 1, "it was released");
    assert!(third[0].epoch > second[0].epoch, "{third:?} after {second:?}");
    assert_eq!(names(&store.claim(&second).await), [""; 0], "a lease that is over claims nothing");
    assert_eq!(names(&store.claim(&third).await), ["One"]);
}

/// A partition without a message that can be published must not be leased.
pub async fn a_partition_without_work_is_not_leased<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    assert_eq!(store.lease_all(a_relay()).await, []);
    store.put([keyed("One", "1")]).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    store.settle(&leases, &rows, &Verdict::Sent).await;
    store.relay.release(&leases).await.expect("the database is there");
    assert_eq!(store.lease_all(a_relay()).await, []);
}

/// An owner that was replaced must not count an attempt or make a dead letter; what it has sent must count as sent.
pub async fn an_epoch_that_is_over_settles_nothing_but_what_was_sent<D: Driver>() {
    let driver = D::start().await;
    let (store, other) = (driver.connect(), driver.connect());
    store.put(["One", "Two", "Three"].map(|name| keyed(name, "1"))).await;
    let old =
        store.relay.lease(a_relay(), 1, Duration::from_millis(1)).await.expect("the database is there").partitions;
    let rows = store.claim(&old).await;
    sleep(Duration::from_millis(20)).await;
    let new = other.lease_all(a_relay()).await;
    let mut late = settlements(&old, &rows[..1], &Verdict::Sent);
    late.extend(settlements(&old, &rows[1..2], &Verdict::Refused { attempts: 1 }));
    late.extend(settlements(&old, &rows[2..], &dead(true)));
    store.relay.settle(&late).await.expect("it is no error");
    let left = other.claim(&new).await;
    assert_eq!(names(&left), ["Two", "Three"]);
    assert_eq!(left[0].attempts, 0);
    other.settle(&new, &left, &Verdict::Sent).await;
    store.settle(&old, &rows[2..], &dead(true)).await;
    let expected = OutboxStatus::default();
    let status = store.relay.status().await.expect("the database is there");
    assert_eq!((status.pending, status.dead, status.sent), (expected.pending, expected.dead, 3));
}

/// A claim must read on after the cursor, and must not read more rows of a partition than the limit.
pub async fn a_cursor_and_a_limit_are_kept<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let messages: Vec<_> = (0..40).map(|index| keyed("Counted", &(index % 2).to_string())).collect();
    let partitions: HashSet<_> = messages.iter().map(partition_of).collect();
    store.put(messages).await;
    let leases = store.lease_all(a_relay()).await;
    assert_eq!(leases.len(), partitions.len());
    let start: Vec<_> = leases.iter().map(|&lease| Cursor { lease, after: None }).collect();
    let first = store
        .relay
        .claim(Claim { cursors: &start, limit: 3, max_bytes: u64::MAX, skip: &Skip::default(), horizon: None })
        .await
        .expect("the database is there");
    assert_eq!(first.len(), 3 * partitions.len());
    let last = |cursor: &Cursor| {
        let of = first.iter().filter(|row| row.place.partition == cursor.lease.partition);
        Cursor { after: of.map(|row| row.place.seq).max(), ..*cursor }
    };
    let behind: Vec<_> = start.iter().map(last).collect();
    let rest = store
        .relay
        .claim(Claim { cursors: &behind, limit: 1_000, max_bytes: u64::MAX, skip: &Skip::default(), horizon: None })
        .await
        .expect("the database is there");
    let ids: HashSet<_> = first.iter().chain(&rest).map(|row| row.message.id).collect();
    assert_eq!((first.len() + rest.len(), ids.len()), (40, 40));
}

/// A claim must end with the row of each partition that reaches its bytes, however large that is.
pub async fn a_claim_is_bounded_by_bytes<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let mut messages: Vec<_> = [10, 10, 200_000, 10, 10].iter().map(|_| keyed("Large", "1")).collect();
    for (message, bytes) in messages.iter_mut().zip([10, 10, 200_000, 10, 10]) {
        message.body = vec![b'x'; bytes].into();
    }
    store.put(messages).await;
    let leases = store.lease_all(a_relay()).await;
    let claim = async |after, max_bytes| {
        let cursors = [Cursor { lease: leases[0], after }];
        let claim = Claim { cursors: &cursors, limit: 100, max_bytes, skip: &Skip::default(), horizon: None };
        store.relay.claim(claim).await.expect("the database is there")
    };
    let sizes = |rows: &[OutboxRow]| rows.iter().map(|row| row.message.body.len()).collect::<Vec<_>>();
    let first = claim(None, 20).await;
    assert_eq!(sizes(&first), [10, 10]);
    assert_eq!(sizes(&claim(None, 21).await), [10, 10, 200_000], "the row that reaches it is the last one");
    let second = claim(first.last().map(|row| row.place.seq), 20).await;
    assert_eq!(sizes(&second), [200_000], "one row at least");
    assert_eq!(sizes(&claim(second.last().map(|row| row.place.seq), 21).await), [10, 10]);
    assert_eq!(sizes(&claim(None, 0).await), [10], "one row at least");
}

/// A claim from the start must find a row that committed late, although rows with higher numbers are sent.
pub async fn a_commit_that_comes_late_is_found_from_the_start<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    if !D::CONCURRENT_UNITS {
        return;
    }
    let mut late = Unit::begin(&store).await;
    late.stage(&[StagedMessage::new(keyed("Late", "1"))]).await;
    store.put([keyed("Early", "1")]).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    assert_eq!(names(&rows), ["Early"]);
    store.settle(&leases, &rows, &Verdict::Sent).await;
    late.commit().await;
    let rows = store.claim(&leases).await;
    assert_eq!(names(&rows), ["Late"]);
}

/// A claim must not return rows that were committed after the lease began; the claims of the next lease must return them.
pub async fn what_was_committed_after_the_lease_began_is_left_to_the_next<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    store.put([keyed("Before", "1")]).await;
    let leased = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    let Some(horizon) = leased.horizon.as_deref() else { return };
    store.put([keyed("After", "1")]).await;
    let cursors: Vec<_> = leased.partitions.iter().map(|&lease| Cursor { lease, after: None }).collect();
    let claim =
        Claim { cursors: &cursors, limit: 10, max_bytes: u64::MAX, skip: &Skip::default(), horizon: Some(horizon) };
    assert_eq!(names(&store.relay.claim(claim).await.expect("the database is there")), ["Before"]);
    store.relay.release(&leased.partitions).await.expect("the database is there");
    let next = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    let cursors: Vec<_> = next.partitions.iter().map(|&lease| Cursor { lease, after: None }).collect();
    let claim = Claim {
        cursors: &cursors,
        limit: 10,
        max_bytes: u64::MAX,
        skip: &Skip::default(),
        horizon: next.horizon.as_deref(),
    };
    assert_eq!(names(&store.relay.claim(claim).await.expect("the database is there")), ["Before", "After"]);
}

/// A claim must leave out the rows that the relay cannot send now, and no others.
pub async fn skipped_routes_and_keys_are_left_out<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let no_topic = |key: &str| {
        let mut message = keyed("WithoutTopic", key);
        message.topic = None;
        message
    };
    let mut state = keyed("Open", "5");
    state.message_type = MessageType::Ecst;
    let messages =
        [keyed("Open", "1"), keyed("Free", "1"), keyed("Free", "2"), no_topic("2"), state, keyed("Free", "n2")];
    store.put(messages).await;
    let leases = store.lease_all(a_relay()).await;
    let sorted = |rows: &[OutboxRow]| {
        let mut rows: Vec<_> = rows.to_vec();
        rows.sort_by_key(|row| row.place.seq);
        rows.into_iter()
            .map(|row| format!("{} {}", row.message.name, row.message.key.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let open = SkippedRoute {
        message_type: MessageType::Notification,
        name: "Open".to_owned(),
        topic: Some("orders".to_owned()),
    };
    let skip = Skip { routes: vec![open.clone()], keys: Vec::new() };
    let rows = store.claim_without(&leases, &skip).await;
    assert_eq!(sorted(&rows), ["Free 1", "Free 2", "WithoutTopic 2", "Open 5", "Free n2"]);
    let key = ParkedKey { topic: Some("orders".to_owned()), key: "2".to_owned() };
    let skip = Skip {
        routes: Vec::new(),
        keys: vec![key, ParkedKey { topic: Some("order".to_owned()), key: "s1".to_owned() }],
    };
    let rows = store.claim_without(&leases, &skip).await;
    assert_eq!(sorted(&rows), ["Open 1", "Free 1", "WithoutTopic 2", "Open 5", "Free n2"]);
    let elsewhere = SkippedRoute { topic: None, ..open.clone() };
    let no_topic = SkippedRoute { name: "WithoutTopic".to_owned(), ..elsewhere.clone() };
    let key = ParkedKey { topic: None, key: "1".to_owned() };
    let skip = Skip { routes: vec![elsewhere, no_topic], keys: vec![key] };
    assert_eq!(sorted(&store.claim_without(&leases, &skip).await), ["Open 1", "Free 1", "Free 2", "Open 5", "Free n2"]);
}

/// A refusal must count one attempt, however often the relay says it, and leave the message in its place.
pub async fn what_was_refused_stays_and_is_counted<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    store.put(["One", "Two"].map(|name| keyed(name, "1"))).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    // The answer to the second one is lost, and it is told again; an older one is late.
    for attempts in [1, 2, 2, 1] {
        store.settle(&leases, &rows[..1], &Verdict::Refused { attempts }).await;
    }
    let again = store.claim(&leases).await;
    assert_eq!(
        again.iter().map(|row| (row.place, row.attempts)).collect::<Vec<_>>(),
        [(rows[0].place, 2), (rows[1].place, 0)]
    );
}

/// A dead letter that parks must hold its key back; a replay must put it into its old place without attempts.
pub async fn a_dead_letter_parks_its_key_until_it_is_replayed<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    store.put(["One", "Two", "Three"].map(|name| keyed(name, "1"))).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    store.settle(&leases, &rows[..1], &Verdict::Refused { attempts: 1 }).await;
    store.settle(&leases, &rows[..1], &dead(true)).await;
    store.relay.release(&leases).await.expect("the database is there");

    let leased = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    assert_eq!(leased.partitions, [], "a dead letter holds back all that is pending");
    let status = store.relay.status().await.expect("the database is there");
    assert_eq!((status.pending, status.parked, status.dead), (2, 2, 1));
    assert_eq!((status.oldest_seconds, store.relay.oldest().await.expect("the database is there")), (None, None));

    let letters = store.dead_letters.list(&DeadLetterFilter::default()).await.expect("the database is there");
    let [letter] = &letters[..] else { panic!("there is one dead letter: {letters:?}") };
    assert_eq!(letter.message.as_ref(), Ok(&rows[0].message));
    assert_eq!((letter.attempts, &*letter.reason, letter.parks_key), (2, "the broker says: too large", true));

    assert_eq!(store.dead_letters.replay(&DeadLetterFilter::default()).await.expect("the database is there"), 1);
    let leased = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    assert_eq!(leased.parked, []);
    let again = store.claim(&leased.partitions).await;
    assert_eq!(
        again.iter().map(|row| (row.place, row.attempts)).collect::<Vec<_>>(),
        rows.iter().map(|row| (row.place, 0)).collect::<Vec<_>>()
    );
    assert_eq!(store.dead_letters.list(&DeadLetterFilter::default()).await.expect("the database is there"), []);
}

/// A discarded dead letter must be gone and release its key; one that does not park must hold nothing back.
pub async fn a_dead_letter_parks_its_key_until_it_is_discarded<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    store.put([keyed("One", "1"), keyed("Two", "1"), keyed("One", "2"), keyed("Two", "2")]).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    for (key, parks) in [("1", true), ("2", false)] {
        let first = rows.iter().find(|row| row.message.key.as_deref() == Some(key)).expect("it is there");
        store.settle(&leases, std::slice::from_ref(first), &dead(parks)).await;
    }
    store.relay.release(&leases).await.expect("the database is there");
    let leased = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    let skip = Skip { routes: Vec::new(), keys: leased.parked };
    let rows = store.claim_without(&leased.partitions, &skip).await;
    assert_eq!(rows.iter().map(|row| row.message.key.as_deref()).collect::<Vec<_>>(), [Some("2")]);
    store.relay.release(&leased.partitions).await.expect("the database is there");
    assert_eq!(store.dead_letters.discard(&DeadLetterFilter::default()).await.expect("the database is there"), 2);
    let leases = store.lease_all(a_relay()).await;
    assert_eq!(names(&store.claim(&leases).await), ["Two", "Two"]);
    assert_eq!(store.dead_letters.discard(&DeadLetterFilter::default()).await.expect("the database is there"), 0);
}

/// A filter must select the dead letters that match all its fields, oldest first.
pub async fn dead_letters_are_filtered<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let elsewhere = keyed("Three", "1").with_topic("elsewhere");
    store.put([keyed("One", "1"), keyed("Two", "1"), elsewhere, keyed("One", "2")]).await;
    let leases = store.lease_all(a_relay()).await;
    let mut rows = store.claim(&leases).await;
    rows.sort_by_key(|row| row.place.seq);
    for (index, row) in rows.iter().enumerate() {
        let verdict = Verdict::Dead { reason: format!("reason %_ {index}"), parks_key: false };
        store.settle(&leases, std::slice::from_ref(row), &verdict).await;
    }
    let list = async |set: fn(&mut DeadLetterFilter)| {
        let mut filter = DeadLetterFilter::default();
        set(&mut filter);
        store.dead_letters.list(&filter).await.expect("the database is there")
    };
    let all = list(|_| ()).await;
    assert_eq!(
        all.iter().map(|letter| letter.message.clone().map(|message| message.id)).collect::<Vec<_>>(),
        rows.iter().map(|row| Ok(row.message.id)).collect::<Vec<_>>()
    );
    let age = SystemTime::now().duration_since(all[0].at).unwrap_or_default();
    assert!(age < Duration::from_secs(60), "{age:?}");
    assert_eq!(list(|filter| filter.limit = Some(3)).await, all[..3]);
    assert_eq!(list(|filter| filter.topic = Some("elsewhere".to_owned())).await, all[2..3]);
    assert_eq!(list(|filter| filter.reason = Some("%_ 1".to_owned())).await, all[1..2]);
    assert_eq!(list(|filter| filter.reason = Some("REASON".to_owned())).await, []);
    let one = list(|filter| filter.name = Some("One".to_owned())).await;
    assert_eq!(one, [all[0].clone(), all[3].clone()]);
    let mut filter = DeadLetterFilter::default();
    filter.ids = vec![all[3].id, all[1].id];
    filter.limit = Some(1);
    assert_eq!(store.dead_letters.replay(&filter).await.expect("the database is there"), 1);
    assert_eq!(list(|_| ()).await, [all[0].clone(), all[2].clone(), all[3].clone()]);
    assert_eq!(store.dead_letters.discard(&filter).await.expect("the database is there"), 1);
    assert_eq!(list(|_| ()).await, [all[0].clone(), all[2].clone()]);
}

/// A replay must select the messages of its topic that were sent since its time, and put them into their old places.
pub async fn what_was_sent_is_replayed_within_its_window<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    store.put([keyed("Old", "1"), keyed("Elsewhere", "1").with_topic("elsewhere")]).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    store.settle(&leases, &rows, &Verdict::Sent).await;
    store.settle(&leases, &rows, &Verdict::Sent).await;
    assert_eq!(names(&store.claim(&leases).await), [""; 0]);
    let replay = async |since, topic| store.relay.replay(since, topic).await.expect("the database is there");
    assert_eq!(replay(SystemTime::now() + Duration::from_secs(3_600), None).await, 0);
    assert_eq!(replay(UNIX_EPOCH, Some("elsewhere")).await, 1);
    assert_eq!(replay(SystemTime::now() - Duration::from_secs(3_600), Some("orders")).await, 1);
    assert_eq!(replay(UNIX_EPOCH, None).await, 0, "they are pending");
    store.relay.release(&leases).await.expect("the database is there");
    let mut again = store.claim(&store.lease_all(a_relay()).await).await;
    again.sort_by_key(|row| row.place);
    assert_eq!(again, rows);
}

/// The owner of a partition at the replay of its rows must neither claim nor settle them.
pub async fn a_replayed_message_is_for_the_next_owner<D: Driver>() {
    let driver = D::start().await;
    let (store, other) = (driver.connect(), driver.connect());
    store.put(["Sent", "Dead", "Waits"].map(|name| keyed(name, "1"))).await;
    // Stopped after it has published all, before it can say so.
    let stopped =
        store.relay.lease(a_relay(), 1, Duration::from_millis(1)).await.expect("the database is there").partitions;
    let rows = store.claim(&stopped).await;
    sleep(Duration::from_millis(20)).await;
    let present = other.lease_all(a_relay()).await;
    other.settle(&present, &rows[..1], &Verdict::Sent).await;
    other.settle(&present, &rows[1..2], &dead(false)).await;
    assert_eq!(store.relay.replay(UNIX_EPOCH, None).await.expect("the database is there"), 1);
    assert_eq!(store.dead_letters.replay(&DeadLetterFilter::default()).await.expect("the database is there"), 1);
    assert_eq!(names(&other.claim(&present).await), ["Waits"], "the replayed ones are for the next owner");
    store.settle(&stopped, &rows, &Verdict::Sent).await;
    other.settle(&present, &rows[..1], &Verdict::Refused { attempts: 1 }).await;
    let mut mixed = settlements(&stopped, &rows[..1], &Verdict::Sent);
    mixed.extend(settlements(&present, &rows[1..2], &dead(true)));
    store.relay.settle(&mixed).await.expect("it is no error");
    other.relay.release(&present).await.expect("the database is there");
    let next = other.lease_all(a_relay()).await;
    let again = other.claim(&next).await;
    assert_eq!(names(&again), ["Sent", "Dead"], "a replay is not lost");
    assert_eq!(again.iter().map(|row| row.attempts).collect::<Vec<_>>(), [0, 0]);
    other.settle(&next, &again, &Verdict::Sent).await;
    let status = store.relay.status().await.expect("the database is there");
    assert_eq!((status.pending, status.sent, status.dead), (0, 3, 0));
}

/// One relay at a time must delete the messages that were sent longer ago than the retention, up to its limit, and no others.
pub async fn what_was_sent_long_ago_is_pruned_by_one<D: Driver>() {
    let driver = D::start().await;
    let (store, other) = (driver.connect(), driver.connect());
    store.put((0..10).map(|key| keyed("Sent", &key.to_string()))).await;
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    store.settle(&leases, &rows[..8], &Verdict::Sent).await;
    sleep(Duration::from_millis(20)).await;
    let (cleaner, late) = (a_relay(), a_relay());
    let short = Duration::from_millis(5);
    assert_eq!(store.relay.prune(cleaner, LONG, 100).await.expect("the database is there"), 0, "it was sent just now");
    assert_eq!(store.relay.prune(cleaner, short, 5).await.expect("the database is there"), 5);
    assert_eq!(
        other.relay.prune(late, short, 5).await.expect("the database is there"),
        0,
        "another one is the cleaner"
    );
    assert_eq!(store.relay.prune(cleaner, short, 5).await.expect("the database is there"), 3);
    assert_eq!(store.relay.prune(cleaner, short, 5).await.expect("the database is there"), 0);
    let status = store.relay.status().await.expect("the database is there");
    assert_eq!((status.pending, status.sent), (2, 0));
}

/// A delayed message must not be published before its time; then delayed messages must come in the order of their times.
pub async fn a_delayed_message_gets_its_place_when_it_is_due<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let after = |name, millis| StagedMessage::new(keyed(name, "1")).after(Duration::from_millis(millis));
    let never = StagedMessage::new(keyed("Never", "1")).after(Duration::MAX);
    store.put_staged([after("Later", 700), after("Soon", 400), never, StagedMessage::new(keyed("Now", "1"))]).await;
    let first = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    assert!(!first.promoted);
    let rows = store.claim(&first.partitions).await;
    assert_eq!(names(&rows), ["Now"]);
    store.settle(&first.partitions, &rows, &Verdict::Sent).await;
    assert_eq!(store.relay.status().await.expect("the database is there").scheduled, 3);
    assert_eq!(store.relay.oldest().await.expect("the database is there"), None);
    store.relay.release(&first.partitions).await.expect("the database is there");
    sleep(Duration::from_millis(800)).await;
    assert!(store.relay.oldest().await.expect("the database is there").is_some(), "they could be published by now");
    let promoting = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    assert!(promoting.promoted);
    let mut leases = promoting.partitions;
    let more = store.relay.lease(a_relay(), PARTITIONS, LONG).await.expect("the database is there");
    assert!(!more.promoted);
    leases.extend(more.partitions);
    assert_eq!(names(&store.claim(&leases).await), ["Soon", "Later"]);
    assert_eq!(store.relay.status().await.expect("the database is there").scheduled, 1);
}

/// The age of the oldest message and the counts must be true.
pub async fn the_oldest_and_the_status_are_told<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    assert_eq!(store.relay.oldest().await.expect("the database is there"), None);
    assert_eq!(store.relay.status().await.expect("the database is there"), OutboxStatus::default());
    store.put([keyed("One", "1"), keyed("Two", "2")]).await;
    sleep(Duration::from_millis(200)).await;
    store.put([keyed("Three", "3")]).await;
    let oldest = store.relay.oldest().await.expect("the database is there").expect("something is pending");
    assert!((Duration::from_millis(200)..Duration::from_secs(60)).contains(&oldest), "{oldest:?}");
    let leases = store.lease_all(a_relay()).await;
    let rows = store.claim(&leases).await;
    let two: Vec<_> = rows.into_iter().filter(|row| row.message.name != "Three").collect();
    store.settle(&leases, &two, &Verdict::Sent).await;
    let status = store.relay.status().await.expect("the database is there");
    assert_eq!((status.pending, status.sent, status.parked, status.dead), (1, 2, 0, 0));
    let oldest = status.oldest_seconds.expect("something is pending");
    assert!((0.0..60.0).contains(&oldest), "{oldest}");
}

/// `woken` must end after a commit of its process, even of one before the call, and must not be ready all the time.
pub async fn a_relay_is_woken_by_a_commit<D: Driver>() {
    let driver = D::start().await;
    let store = driver.connect();
    let woken = async |within| timeout(within, store.relay.woken()).await.is_ok();
    while woken(Duration::from_millis(300)).await {}
    store.put([keyed("One", "1")]).await;
    assert!(woken(Duration::from_secs(5)).await, "a commit before it waits");
    while woken(Duration::from_millis(300)).await {}
    let waiting = store.clone();
    let waiting = tokio::spawn(async move { timeout(Duration::from_secs(10), waiting.relay.woken()).await });
    sleep(Duration::from_millis(50)).await;
    store.put([keyed("Two", "1")]).await;
    assert!(waiting.await.expect("it does not panic").is_ok(), "a commit while it waits");
}
