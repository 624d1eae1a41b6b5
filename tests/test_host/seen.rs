//! What the host for tests sees of attempts, dead letters and crashes.

use std::sync::Arc;
use std::time::Duration;

use diator::prelude::*;
use diator_testkit::AttemptOutcome;
use tokio::time::Instant;

use super::{Bank, Conduct, OrderCharged, OrderPlaced, order, started};

#[tokio::test(start_paused = true)]
async fn retries_of_minutes_take_no_time() {
    let (real, began, broker) = (std::time::Instant::now(), Instant::now(), InMemoryBroker::new());
    let test = started(Bank::new(2, [Conduct::Busy, Conduct::Busy]), &broker).await;
    test.publish(order(1)).await;
    test.publish(order(2)).await;
    test.settle().await;
    test.handled::<OrderPlaced>().times(4);
    test.handled::<OrderPlaced>().by("billing.charge").on(|order| order.order_id == 1).once();
    let of_two = || test.handled::<OrderPlaced>().on(|order| order.order_id == 2);
    of_two().times(3);
    of_two().failed().times(2);
    of_two().failed_with("busy").times(2);
    of_two().failed_with("closed").never();
    of_two().succeeded().once();
    test.handled::<OrderCharged>().by("mailing.thank").succeeded().times(2);
    test.dead_letters::<OrderPlaced>().never();
    test.assert_no_dead_letters();

    let attempts = of_two().attempts();
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.at.as_secs())).collect();
    assert_eq!(seen, [(1, 0), (2, 10), (3, 610)]);
    assert_eq!(attempts[0].outcome, AttemptOutcome::Failed("the bank is busy".to_owned()));
    // It ends when the last one is done, and not at the next turn of something else.
    assert!(began.elapsed() < Duration::from_millis(610_100), "{:?}", began.elapsed());
    assert!(real.elapsed() < Duration::from_secs(5), "{:?}", real.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_clock_stops_where_the_test_wants_it() {
    let broker = InMemoryBroker::new();
    let test = started(Bank::new(2, [Conduct::Busy, Conduct::Busy]), &broker).await;
    test.publish(order(2)).await;
    for (seconds, attempts) in [(0, 1), (9, 1), (1, 2), (599, 2), (1, 3)] {
        test.advance(Duration::from_secs(seconds)).await;
        test.handled::<OrderPlaced>().times(attempts);
    }
    test.handled::<OrderPlaced>().succeeded().once();
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_told_by_their_reason() {
    let broker = InMemoryBroker::new();
    let test = started(Arc::default(), &broker).await;
    test.publish(order(1)).await;
    test.publish(OrderPlaced { order_id: 3, cents: -1 }).await;
    test.settle().await;
    test.dead_letters::<OrderPlaced>().once();
    let dead = || test.dead_letters::<OrderPlaced>().of("billing").because("-1 cents cannot be charged");
    dead().on(|order| order.order_id == 3).once();
    dead().on(|order| order.order_id == 1).never();
    test.dead_letters::<OrderPlaced>().of("mailing").never();
    test.dead_letters::<OrderCharged>().never();
}

#[tokio::test(start_paused = true)]
async fn panics_time_outs_and_cuts_are_outcomes() {
    let broker = InMemoryBroker::new();
    let conducts = [Conduct::Panic, Conduct::Hang, Conduct::Take(Duration::from_secs(200))];
    let mut test = started(Bank::new(7, conducts), &broker).await;
    test.publish(order(7)).await;
    test.advance(Duration::from_secs(1_000)).await;
    let outcomes: Vec<_> =
        test.handled::<OrderPlaced>().attempts().into_iter().map(|attempt| attempt.outcome).collect();
    let [AttemptOutcome::Failed(panic), AttemptOutcome::Failed(late), AttemptOutcome::Running] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert!(panic.contains("the bank falls") && late.contains("took longer than 300s"), "{panic} {late}");
    test.stop().await;
    let last = test.handled::<OrderPlaced>().attempts().pop().unwrap();
    assert_eq!((last.number, last.outcome), (3, AttemptOutcome::CutOff));
}

#[tokio::test(start_paused = true)]
async fn the_next_host_goes_on_where_one_stopped_or_crashed() {
    for crash in [false, true] {
        let broker = InMemoryBroker::new();
        let mut first = started(Bank::new(1, [Conduct::Hang]), &broker).await;
        first.publish(order(1)).await;
        first.publish(order(2)).await;
        first.advance(Duration::from_secs(1)).await;
        first.handled::<OrderPlaced>().succeeded().once();
        if crash {
            drop(first);
        } else {
            first.stop().await;
        }
        let second = started(Arc::default(), &broker).await;
        second.settle().await;
        second.handled::<OrderPlaced>().once();
        second.handled::<OrderPlaced>().on(|order| order.order_id == 1).succeeded().once();
    }
}
