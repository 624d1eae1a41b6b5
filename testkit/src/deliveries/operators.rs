//! What an operator sees and does.

use std::time::{Duration, SystemTime};

use diator::deliveries::{
    DeadReason, DeliveryFilter, DeliveryState, DeliveryStatus, DeliveryVerdict, NewDelivery, NewState,
};
use diator::inbox::Seen;
use diator::subscription::Settled;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Driver;
use super::fixture::{ENDPOINT, HANDLER, LONG, Process, after, dead, delivery, entry, keyed, with};

fn filter(set: impl FnOnce(&mut DeliveryFilter)) -> DeliveryFilter {
    let mut filter = DeliveryFilter::default();
    set(&mut filter);
    filter
}

fn dead_of(kind: &str, text: &str) -> NewDelivery {
    with(delivery(), |of| of.state = NewState::Dead(DeadReason::new(kind, text)))
}

/// Each field of a filter must select what it says, and all of them together; the list must begin with the oldest.
pub async fn rows_are_listed_by_each_field<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let mut rows = [
        dead_of("Handler", "declined: 100% of _"),
        dead_of("TimedOut", "too slow"),
        after(delivery(), LONG),
        delivery(),
        dead_of("Handler", "Declined"),
    ];
    rows[1].endpoint = "mailing".into();
    rows[2].handler = "billing.post".into();
    rows[3].topic = "users".into();
    rows[4].name = Some("OrderCancelled".into());
    process.put(&rows).await;
    let ids: Vec<_> = process.all().await.iter().map(|kept| kept.id).collect();
    assert!(ids.len() == rows.len() && ids.is_sorted(), "{ids:?}");
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (filter(|of| of.ids = vec![ids[3], ids[0], i64::MAX]), vec![0, 3]),
        (filter(|of| of.endpoint = some("mailing")), vec![1]),
        (filter(|of| of.handler = some("billing.post")), vec![2]),
        (filter(|of| of.topic = some("users")), vec![3]),
        (filter(|of| of.name = some("OrderCancelled")), vec![4]),
        (filter(|of| (of.name, of.kind) = (some("OrderCancelled"), some("TimedOut"))), vec![]),
        (DeliveryFilter::dead(), vec![0, 1, 4]),
        (DeliveryFilter::waiting(), vec![2, 3]),
        (filter(|of| of.kind = some("Handler")), vec![0, 4]),
        (filter(|of| of.kind = some("handler")), vec![]),
        (filter(|of| of.reason = some("declined")), vec![0]),
        (filter(|of| of.reason = some("% of _")), vec![0]),
        (filter(|of| of.reason = some("d_clined")), vec![]),
        (filter(|of| of.limit = Some(2)), vec![0, 1]),
        (filter(|of| of.limit = Some(0)), vec![]),
        (filter(|of| (of.dead, of.limit) = (Some(false), Some(1))), vec![2]),
        (filter(|of| (of.dead, of.endpoint) = (Some(true), some(ENDPOINT))), vec![0, 4]),
        (filter(|of| (of.kind, of.handler) = (some("Handler"), some("billing.post"))), vec![]),
        (filter(|of| of.endpoint = some("BILLING")), vec![]),
    ];
    for (filter, expected) in cases {
        let listed: Vec<_> = process.list(&filter).await.iter().map(|kept| kept.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|place: usize| ids[place]).collect();
        assert_eq!(listed, expected, "{filter:?}");
    }
    let kept = process.all().await;
    let DeliveryState::Waiting { due, leased: false } = kept[2].state else { panic!("{:?}", kept[2].state) };
    let ahead = due.duration_since(SystemTime::now()).expect("it is due later");
    assert!(ahead <= LONG + Duration::from_secs(60) && ahead >= LONG - Duration::from_secs(300), "{ahead:?}");
    let DeliveryState::Dead { at, .. } = kept[0].state else { panic!("{:?}", kept[0].state) };
    let since = SystemTime::now().duration_since(at).unwrap_or_default();
    assert!(since < Duration::from_secs(300), "{since:?}");
    process.lease(10).await;
    assert!(matches!(process.all().await[3].state, DeliveryState::Waiting { leased: true, .. }));
}

/// A replayed dead letter must come once more, at once, in a generation that the inbox lets in; and so must it a second time.
pub async fn a_replay_is_the_next_generation<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let mut letter = delivery();
    letter.failures = 3;
    process.put(&[dead(letter.clone())]).await;
    let id = process.all().await[0].id;
    for generation in 1..4 {
        assert_eq!(process.replay(&filter(|of| of.ids = vec![id])).await, 1);
        let leased = other.lease_one().await;
        let of = &leased.delivery;
        assert_eq!((of.generation, of.failures, &*of.handler, of.message), (generation, 0, HANDLER, letter.message));
        assert_eq!((leased.lease.id, leased.lost), (id, 0));
        if generation < 3 {
            other.dead(&leased, false).await;
            assert_eq!(other.enter(&entry(&leased.delivery)).await, Seen::Before, "it is a dead letter once more");
        } else {
            assert_eq!(other.enter(&entry(&leased.delivery)).await, Seen::First);
            other.handled(&leased).await;
        }
    }
    assert!(process.all().await.is_empty());
    assert_eq!(process.enter(&entry(&letter)).await, Seen::Before, "of what the engine delivers, nothing has changed");
    process.put(&[letter]).await;
    assert!(process.all().await.is_empty());
}

/// A replay must take the dead letters that match, as many as it counts, and leave waiting rows as they are.
pub async fn a_replay_changes_nothing_that_waits<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    process.put(&[after(delivery(), LONG), delivery(), dead(delivery()), dead(delivery()), dead(delivery())]).await;
    let leased = process.lease_one().await;
    let two = filter(|of| of.limit = Some(2));
    assert_eq!(process.replay(&two).await, 2, "the limit counts dead letters");
    assert_eq!(process.list(&DeliveryFilter::dead()).await.len(), 1);
    assert_eq!(process.replay(&DeliveryFilter::waiting()).await, 0);
    let kept = process.all().await;
    let generations: Vec<_> = kept.iter().map(|kept| kept.delivery.generation).collect();
    assert_eq!(generations, [0, 0, 1, 1, 0]);
    process.handled(&leased).await;
    assert_eq!(process.lease(10).await.len(), 2);
}

/// Of operators who replay the same dead letters at the same time, one must count each.
pub async fn of_replays_at_the_same_time_one_counts<D: Driver>() {
    let driver = D::start(LONG).await;
    let rows: Vec<_> = (0..40).map(|_| dead(delivery())).collect();
    Process::of(&driver).put(&rows).await;
    let mut operators = JoinSet::new();
    for _ in 0..4 {
        let process = Process::of(&driver);
        operators.spawn(async move { process.replay(&DeliveryFilter::default()).await });
    }
    assert_eq!(operators.join_all().await.into_iter().sum::<u64>(), rows.len() as u64);
    let leased = Process::of(&driver).lease(100).await;
    assert_eq!(leased.len(), rows.len());
    assert!(leased.iter().all(|leased| leased.delivery.generation == 1));
}

/// The store must list the last failure of a waiting row's handler, until the row is a dead letter or is replayed.
pub async fn the_last_failure_of_what_waits_is_told<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let [first, second] = ["the gateway answers 502", "100% of _: größe"].map(|text| DeadReason::new("Handler", text));
    process.put(&[with(delivery(), |of| of.last_failure = Some(first.clone())), after(delivery(), LONG)]).await;
    let told = async || process.all().await[0].delivery.last_failure.clone();
    assert_eq!((told().await.as_ref(), &process.all().await[1].delivery.last_failure), (Some(&first), &None));
    let later = |last_failure| DeliveryVerdict::Later { after: Duration::ZERO, failures: 1, last_failure };
    let verdicts = [(later(None), &first), (DeliveryVerdict::Released, &first), (later(Some(second.clone())), &second)];
    for (verdict, expected) in verdicts {
        let leased = process.lease_one().await;
        process.settle(leased.lease, verdict).await;
        assert_eq!(told().await.as_ref(), Some(expected));
    }
    let with_text = filter(|of| of.reason = Some("% of _".to_owned()));
    assert_eq!(process.list(&with_text).await.len(), 1);
    assert!(process.list(&filter(|of| (of.dead, of.reason) = (Some(true), with_text.reason.clone()))).await.is_empty());
    let leased = process.lease_one().await;
    process.dead(&leased, false).await;
    assert_eq!(told().await, None, "it is the reason of the dead letter");
    process.replay(&DeliveryFilter::dead()).await;
    assert_eq!(told().await, None);
}

/// A hastened row must come at once, with its failures and in its turn; no dead letter and no leased row may change.
pub async fn what_is_hastened_comes_at_once<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let waits = with(after(delivery(), LONG), |of| of.failures = 2);
    process.put(&[waits.clone(), after(keyed("a"), LONG), keyed("a"), dead(delivery()), delivery()]).await;
    let leased = process.lease_one().await;
    let ids: Vec<_> = process.all().await.iter().map(|kept| kept.id).collect();
    assert_eq!(process.hasten(&filter(|of| of.ids = vec![ids[0], ids[2]])).await, 2);
    let [hastened] = &other.lease(10).await[..] else { panic!("the one behind has its turn still") };
    assert_eq!((hastened.lease.id, hastened.delivery.failures, hastened.lost), (ids[0], 2, 0));
    assert_eq!(process.hasten(&DeliveryFilter::default()).await, 2, "neither the dead one nor those in hand");
    let [head] = &other.lease(10).await[..] else { panic!("one of the key") };
    assert_eq!(head.lease.id, ids[1]);
    assert_eq!(process.settle(leased.lease, DeliveryVerdict::Handled).await, Settled::Done);
    assert_eq!(process.list(&DeliveryFilter::dead()).await.len(), 1);
}

/// A discarded row must go for good; a row that a process has in hand must stay.
pub async fn what_is_discarded_is_gone_and_what_is_leased_stays<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    process.put(&[delivery(), dead(delivery()), after(delivery(), LONG), dead_of("TimedOut", "too slow")]).await;
    let leased = process.lease_one().await;
    assert_eq!(process.discard(&filter(|of| of.kind = Some("TimedOut".to_owned()))).await, 1);
    assert_eq!(process.discard(&DeliveryFilter::default()).await, 2);
    assert_eq!(process.discard(&DeliveryFilter::default()).await, 0);
    let kept = process.all().await;
    assert!(kept.len() == 1 && kept[0].id == leased.lease.id);
    process.handled(&leased).await;
    process.put(&[delivery(), delivery(), delivery()]).await;
    assert_eq!(process.discard(&filter(|of| of.limit = Some(2))).await, 2);
    assert_eq!(process.all().await.len(), 1);
}

/// The rows of each endpoint must be counted by their state.
pub async fn rows_are_counted_by_their_state<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    assert!(process.status().await.is_empty());
    let mut of_another = after(delivery(), LONG);
    of_another.endpoint = "mailing".into();
    let letter = with(keyed("b"), |of| of.holds_key = false);
    let rows =
        [dead(keyed("a")), keyed("a"), after(keyed("a"), LONG), dead(letter), after(keyed("b"), LONG), of_another];
    process.put(&rows).await;
    let numbers = |status: &DeliveryStatus| (status.endpoint.clone(), status.waiting, status.parked, status.dead);
    let status = process.status().await;
    let found: Vec<_> = status.iter().map(numbers).collect();
    assert_eq!(found, [(ENDPOINT.to_owned(), 3, 2, 2), ("mailing".to_owned(), 1, 0, 0)]);
    assert!(status.iter().all(|status| status.overdue_seconds.is_none()), "what is parked is not overdue: {status:?}");
    process.put(&[delivery()]).await;
    sleep(Duration::from_millis(300)).await;
    process.put(&[delivery()]).await;
    let overdue = process.status().await[0].overdue_seconds.expect("two are due");
    assert!((0.25..60.0).contains(&overdue), "{overdue}");
    for leased in process.lease(10).await {
        process.settle(leased.lease, DeliveryVerdict::Later { after: LONG, failures: 0, last_failure: None }).await;
    }
    assert_eq!(numbers(&process.status().await[0]), (ENDPOINT.to_owned(), 5, 2, 2));
    assert_eq!(process.status().await[0].overdue_seconds, None);
}
