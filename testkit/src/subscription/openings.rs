//! What processes and endpoints share, what ends an opening, and what the next one gets.

use diator::subscription::{Delivery, Observation, Opened, Release, Settled, Settlement, Verdict, Wanted};
use tokio::time::Instant;

use super::Driver;
use super::fixture::{ENDPOINT, Process, TOPIC, drain, in_time, keyed, number, numbers, publish, try_open};

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

/// If processes do not share, each must get all messages.
pub async fn processes_that_do_not_share_get_all<D: Driver>() {
    if !D::CAPABILITIES.broadcasts {
        return;
    }
    let driver = D::start().await;
    let processes = vec![Process::open_for_itself(&driver).await, Process::open_for_itself(&driver).await];
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
    let begun = Instant::now();
    let mut process = process.reopen(&driver).await;
    let rest = process.take_and_ack(8).await;
    if D::CAPABILITIES.release != Release::Impossible {
        let early = D::CAPABILITIES.lock.is_none_or(|period| begun.elapsed() < period / 2);
        assert!(early, "closing must release what is held, but it came after {:?}", begun.elapsed());
    }
    assert_eq!(numbers(&rest), (0..10).filter(|number| !settled.contains(number)).collect::<Vec<_>>());
    process.is_given_nothing::<D>().await;
}

/// Messages that are published while nobody reads must wait, if the engine is durable.
pub async fn what_is_published_meanwhile_waits<D: Driver>() {
    if !D::CAPABILITIES.durable {
        return;
    }
    let driver = D::start().await;
    let process = Process::open(&driver).await;
    let (successor, share) = (process.successor(&driver), process.share);
    process.close().await;
    publish(&driver, 0..10).await;
    let mut process = Process::open_on::<D>(successor, ENDPOINT, &[], share).await;
    assert_eq!(numbers(&process.take(10).await), (0..10).collect::<Vec<_>>());
}

/// Messages that wait under a former name must come under the new one, unless the driver refuses former names.
pub async fn what_waits_under_a_former_name_is_not_lost<D: Driver>() {
    if !D::CAPABILITIES.durable {
        return;
    }
    let driver = D::start().await;
    let (topics, formerly) = ([TOPIC.to_owned()], [ENDPOINT.to_owned()]);
    if !driver.connect().validate(&Wanted::new("invoices", &topics).with_formerly(&formerly)).is_empty() {
        return;
    }
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let held = process.take(4).await;
    let settled = numbers(&held);
    process.ack(&held).await;
    let mut renamed = process.close_and_open(&driver, "invoices", &formerly).await;
    let rest = renamed.take_and_ack(6).await;
    assert_eq!(numbers(&rest), (0..10).filter(|number| !settled.contains(number)).collect::<Vec<_>>());
    publish(&driver, 10..13).await;
    assert_eq!(numbers(&renamed.take(3).await), [10, 11, 12]);
}

/// An observation must count the waiting messages and those due to the opening, if the engine reports them; a held message is not due.
pub async fn what_waits_is_observed<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    let first = process.observe().await;
    // A driver may count what is held as waiting.
    let seen = |waits: u64, held: u64| {
        move |seen: Observation| {
            let lag = first.lag.is_none() || seen.lag == Some(waits) || seen.lag == Some(waits + held);
            lag && (first.due.is_none() || seen.due == Some(waits))
        }
    };
    process.observes(|now| seen(0, 0)(now) && now.oldest.is_none_or(|oldest| oldest.is_zero())).await;
    publish(&driver, 0..7).await;
    process.observes(seen(7, 0)).await;
    let held = process.take(3).await;
    process.observes(seen(4, 3)).await;
    process.ack(&held).await;
    process.observes(seen(4, 0)).await;
    let rest = process.take(4).await;
    process.ack(&rest).await;
    process.observes(seen(0, 0)).await;
    let heard = process.observe().await.heard;
    assert!(heard.is_none_or(|ago| ago < D::PATIENCE), "it was heard of {heard:?} ago, but it answers");
}

/// Deliveries that were given out before and not settled must come first when an opening begins, oldest first.
pub async fn what_was_given_out_before_comes_first<D: Driver>() {
    let capabilities = D::CAPABILITIES;
    let goes_back = capabilities.lock.is_none() || capabilities.release != Release::Impossible;
    if !capabilities.ordered_by_key || !capabilities.redelivery || !(goes_back || capabilities.exclusive_keys) {
        return;
    }
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    for number in 0..10 {
        driver.publish(&keyed(number, 0)).await;
    }
    let held = process.take(5).await;
    process.ack(&held[..1]).await;
    // Without owners, what a crash leaves is locked, and others need not wait for it.
    let mut process =
        if capabilities.exclusive_keys { process.crash(&driver).await } else { process.reopen(&driver).await };
    let came = process.take(9).await;
    assert_eq!(came.iter().map(number).collect::<Vec<_>>(), (1..10).collect::<Vec<_>>());
    assert!(came[..4].iter().all(|delivery| delivery.redelivered.perhaps()), "{came:?}");
}

/// If each process gets all messages, its next opening must not get messages that an earlier one has settled.
pub async fn a_process_of_a_broadcast_goes_on_where_it_was<D: Driver>() {
    if !D::CAPABILITIES.broadcasts {
        return;
    }
    let driver = D::start().await;
    let (mut process, mut other) = (Process::open_for_itself(&driver).await, Process::open_for_itself(&driver).await);
    publish(&driver, 0..10).await;
    let settled = numbers(&process.take_and_ack(6).await);
    let mut process = process.reopen(&driver).await;
    if D::RETAINS {
        let rest = numbers(&process.take_and_ack(4).await);
        assert_eq!(rest, (0..10).filter(|number| !settled.contains(number)).collect::<Vec<_>>());
    }
    publish(&driver, 10..11).await;
    assert_eq!(number(&process.take_one().await), 10);
    assert_eq!(numbers(&other.take(11).await), (0..11).collect::<Vec<_>>());
}

/// An opening that was closed must neither settle nor extend anything any more.
pub async fn what_a_closed_opening_says_changes_nothing<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    let held = process.take_one().await;
    process.settle.close().await;
    process.has_lost::<D>(&[held]).await;
}

/// A cut must lose nothing: the source fails in time, and the next opening gets what was not settled; or the driver connects anew
/// within the opening, and that goes on.
pub async fn a_cut_loses_nothing<D: Driver>() {
    let driver = D::start().await;
    let mut process = Process::open(&driver).await;
    publish(&driver, 0..10).await;
    let held = process.take(4).await;
    process.ack(&held[..2]).await;
    let mut settled = held[..2].to_vec();
    if !driver.faults().cut().await {
        return;
    }
    let mut published = 10;
    if let Some(came) = goes_on(&mut process, &driver, &mut published).await {
        for some in [&held[2..], &came] {
            let answers = process.try_settle(some, &Verdict::Ack).await;
            let done = some.iter().zip(answers).filter(|(_, answer)| *answer == Settled::Done);
            settled.extend(done.map(|(delivery, _)| delivery.clone()));
        }
    } else {
        process.has_lost::<D>(&held[2..]).await;
        assert!(process.try_next(1, D::PATIENCE).await.is_err(), "an opening that is over stays so");
    }
    if D::CAPABILITIES.redelivery {
        let settled = numbers(&settled);
        let expected: Vec<_> = (0..published).filter(|number| !settled.contains(number)).collect();
        let mut process = process.reopen(&driver).await;
        assert_eq!(numbers(&process.take_and_ack(expected.len()).await), expected);
        process.is_given_nothing::<D>().await;
    }
}

/// What comes after a cut of six messages that wait, and of two that are published then; `None` if the opening is over.
async fn goes_on<D: Driver>(process: &mut Process, driver: &D, published: &mut usize) -> Option<Vec<Delivery>> {
    let mut came = Vec::new();
    while *published == 10 || !(10..12).all(|number| came.iter().any(|delivery| self::number(delivery) == number)) {
        if came.len() >= 6 && *published == 10 {
            publish(driver, 10..12).await;
            *published = 12;
        }
        let more = process.try_next(12, D::PATIENCE).await.ok()?;
        came.extend(more.expect("the source must go on or fail"));
    }
    Some(came)
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
    publish(&driver, 10..12).await;
    let mut process = process.crash(&driver).await;
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
    let opened: Result<Opened, _> = in_time::<D, _>("open", try_open::<D>(&*driver.connect(), ENDPOINT, &[])).await;
    assert!(opened.is_err(), "an engine that does not answer cannot be open");
    assert!(in_time::<D, _>("observe", process.settle.observe()).await.is_err());
    let batch = [Settlement::new(held.tag, Verdict::Ack)];
    let answers = in_time::<D, _>("settle", process.settle.settle(&batch)).await;
    assert_eq!(answers.len(), 1, "each settlement has an answer");
    // Where nothing comes again there is nothing to confirm.
    let confirmed = D::CAPABILITIES.redelivery && matches!(answers[0], Ok(Settled::Done));
    assert!(!confirmed, "an engine that does not answer has confirmed nothing");
    in_time::<D, _>("close", process.settle.close()).await;
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
    assert!(in_time::<D, _>("next", process.try_next(1, D::PATIENCE)).await.is_err(), "the source must fail");
    drop(process);
    assert!(
        in_time::<D, _>("open", try_open::<D>(&*driver.connect(), ENDPOINT, &[])).await.is_err(),
        "nobody is there"
    );
    driver.faults().restart().await;
    let mut process = Process::open(&driver).await;
    driver.publish(&keyed(0, 0)).await;
    process.take_one().await;
}
