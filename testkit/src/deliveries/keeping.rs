//! What is kept, and for how long.

use std::time::Duration;

use diator::deliveries::{DeliveryFilter, DeliveryState, NewDelivery, NewState, WHOLE_MESSAGE};
use diator::inbox::Seen;
use tokio::time::sleep;
use uuid::Uuid;

use super::Driver;
use super::fixture::{ENDPOINT, HANDLER, LONG, Process, after, dead, delivery, entry, keyed, reason, with};
use crate::drop_after;

/// Every field must be leased and listed as it was put, in another process too.
pub async fn a_delivery_comes_as_it_was_put<D: Driver>() {
    let driver = D::start(LONG).await;
    let mut full = NewDelivery::new(ENDPOINT, HANDLER, Uuid::max(), "größe ' \" \\ ?1 $1", [0, 255, 10, 0]);
    full.generation = 3;
    full.name = Some("OrderPlaced".into());
    full.position = Some("3-17\n\t".into());
    full.key = Some("a\u{1f}b".into());
    full.headers = vec![("x".into(), "1".into()), ("x".into(), "".into()), ("größe".into(), "a\nb".into())];
    full.content_type = Some("application/json".into());
    full.failures = u32::MAX;
    full.holds_key = true;
    let empty = NewDelivery::new(ENDPOINT, HANDLER, Uuid::nil(), "", []);
    let large = NewDelivery::new(ENDPOINT, HANDLER, Uuid::from_u128(7), "orders", vec![7; 1 << 20]);
    let all = [full, empty, large];
    Process::of(&driver).put(&all).await;
    let other = Process::of(&driver);
    let listed = other.all().await;
    let leased = other.lease(10).await;
    assert_eq!((listed.len(), leased.len()), (3, 3));
    for (put, (listed, leased)) in all.iter().zip(listed.into_iter().zip(leased)) {
        let state = || put.state.clone();
        assert_eq!(listed.id, leased.lease.id);
        assert_eq!(&with(listed.delivery, |of| of.state = state()), put);
        assert_eq!(&with(leased.delivery, |of| of.state = state()), put);
        assert_eq!(leased.lost, 0);
        assert!(matches!(listed.state, DeliveryState::Waiting { leased: false, .. }), "{:?}", listed.state);
    }
}

/// Of one endpoint, handler and message there must be one row at most: the first one that was put.
pub async fn a_delivery_is_put_once<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let first = delivery();
    process.put(std::slice::from_ref(&first)).await;
    let mut again = first.clone();
    (again.body, again.generation) = (b"another".as_slice().into(), 2);
    other.put(&[dead(again.clone()), again.clone()]).await;
    let kept = process.all().await;
    assert_eq!(kept.len(), 1);
    assert_eq!(with(kept[0].delivery.clone(), |of| of.state = first.state.clone()), first);
    assert!(matches!(kept[0].state, DeliveryState::Waiting { .. }));
    assert_eq!(process.enter(&entry(&first)).await, Seen::First, "a dead letter that was not put is not known");

    let mut others = [delivery(), delivery(), delivery()];
    others.iter_mut().for_each(|delivery| delivery.message = Uuid::from_u128(9));
    others[1].handler = "billing.post".into();
    others[2].endpoint = "mailing".into();
    process.put(&others).await;
    process.put(&others).await;
    assert_eq!(other.all().await.len(), 4);
    let twice = delivery();
    process.put(&[twice.clone(), twice]).await;
    assert_eq!(other.all().await.len(), 5);
}

/// The store must keep nothing of a message that the handler has handled, in whatever generation.
pub async fn what_is_handled_is_not_put<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    for generation in [0, 3] {
        let handled = with(delivery(), |of| of.generation = generation);
        assert_eq!(process.enter(&entry(&handled)).await, Seen::First);
        let mut another = with(handled.clone(), |of| of.generation = 0);
        another.handler = "billing.post".into();
        process.put(&[with(handled.clone(), |of| of.generation = 0), dead(handled), another.clone()]).await;
        let kept = process.all().await;
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(kept[0].delivery.handler, another.handler);
        assert_eq!(process.discard(&DeliveryFilter::default()).await, 1);
    }
}

/// A dead letter that is put must be known to the inbox, in its generation and no other.
pub async fn what_is_put_dead_is_known_to_the_inbox<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let letter = dead(delivery());
    process.put(std::slice::from_ref(&letter)).await;
    assert!(process.lease(10).await.is_empty(), "a dead letter is not leased");
    let kept = other.all().await;
    let DeliveryState::Dead { reason: why, .. } = &kept[0].state else { panic!("{:?}", kept[0].state) };
    assert_eq!(why, &reason());
    assert_eq!(other.enter(&entry(&letter)).await, Seen::Before);
    assert_eq!(other.enter(&entry(&letter).with_generation(1)).await, Seen::First);
    let waiting = after(delivery(), LONG);
    process.put(std::slice::from_ref(&waiting)).await;
    assert_eq!(other.enter(&entry(&waiting)).await, Seen::First, "it only waits");
}

/// A leased row that becomes a dead letter must be known to the inbox, in its generation.
pub async fn what_becomes_dead_is_known_to_the_inbox<D: Driver>() {
    let driver = D::start(LONG).await;
    let (process, other) = (Process::of(&driver), Process::of(&driver));
    let mut letter = with(delivery(), |of| of.generation = 2);
    letter.name = Some("OrderPlaced".into());
    process.put(std::slice::from_ref(&letter)).await;
    let leased = process.lease_one().await;
    process.dead(&leased, false).await;
    let kept = other.all().await;
    let DeliveryState::Dead { reason: why, .. } = &kept[0].state else { panic!("{:?}", kept[0].state) };
    assert_eq!((why, kept[0].delivery.failures), (&reason(), 4));
    assert_eq!((kept[0].delivery.name.as_deref(), kept[0].id), (Some("OrderPlaced"), leased.lease.id));
    assert_eq!(other.enter(&entry(&letter)).await, Seen::Before);
    assert_eq!(other.enter(&entry(&letter).with_generation(1)).await, Seen::First);
}

/// A discarded dead letter must not come again when the engine delivers its message again.
pub async fn what_was_discarded_is_not_put_again<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let letter = dead(delivery());
    process.put(std::slice::from_ref(&letter)).await;
    assert_eq!(process.discard(&DeliveryFilter::dead()).await, 1);
    assert_eq!(process.enter(&entry(&letter)).await, Seen::Before);
    process.put(&[letter.clone(), with(letter, |of| of.state = delivery().state)]).await;
    assert!(process.all().await.is_empty());
}

/// A call that is dropped must have put all of its rows or none, and the next one must put them.
pub async fn all_are_put_or_none<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let mut ended = 0;
    for polls in 1..200 {
        let batch = [delivery(), dead(delivery()), keyed("a"), delivery()];
        let done = drop_after(polls, process.deliveries.put(&batch)).await;
        ended += usize::from(done.is_some());
        // The database may learn late that a call was dropped.
        for _ in 0..20 {
            let kept = process.all().await.len();
            assert!(kept == 0 || kept == batch.len(), "{kept} of {} after {polls} polls", batch.len());
            if done.is_some() || kept > 0 {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        process.put(&batch).await;
        assert_eq!(process.all().await.len(), batch.len(), "after {polls} polls");
        assert_eq!(process.discard(&DeliveryFilter::default()).await, batch.len() as u64);
        if ended > 2 {
            break;
        }
    }
}

/// A delivery for all handlers of a message must be a row of its own beside those of its handlers.
pub async fn a_whole_message_is_no_handlers<D: Driver>() {
    let driver = D::start(LONG).await;
    let process = Process::of(&driver);
    let of_one = delivery();
    let whole = dead(with(of_one.clone(), |of| of.handler = WHOLE_MESSAGE.into()));
    process.put(&[whole.clone(), whole.clone(), of_one.clone()]).await;
    assert_eq!(process.all().await.len(), 2);
    assert_eq!(process.enter(&entry(&of_one)).await, Seen::First, "the handler has not handled it");
    process.discard(&DeliveryFilter::default()).await;
    process.put(&[whole]).await;
    assert!(process.all().await.is_empty(), "it is a dead letter that was discarded");
}

/// No row must go because it is old, even if the inbox has forgotten its message.
pub async fn nothing_else_ends_a_row<D: Driver>() {
    const RETENTION: Duration = Duration::from_millis(300);
    let driver = D::start(RETENTION).await;
    let process = Process::of(&driver);
    let rows = [after(delivery(), LONG), dead(keyed("a")), keyed("a"), delivery()];
    process.put(&rows).await;
    let leased = process.lease_for(10, Duration::from_millis(100)).await;
    assert_eq!(leased.len(), 1, "the last one");
    sleep(4 * RETENTION).await;
    driver.clean().await;
    assert_eq!(process.all().await.len(), rows.len());
    process.put(&rows).await;
    let kept = process.all().await;
    assert_eq!(kept.len(), rows.len());
    assert!(matches!(&rows[1].state, NewState::Dead(_)) && matches!(kept[1].state, DeliveryState::Dead { .. }));
}
