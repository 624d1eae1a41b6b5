//! What every broker does when its connections fail, and its server does not say so.
//!
//! Each function is a case, as those of [`faults`](super::faults): [`broker_faults!`](crate::broker_faults) makes tests of
//! both. The driver connects [through](Driver::connect_through) a [`Proxy`].

use std::time::{Duration, Instant};

use diator::MessageBroker;
use diator::broker::PublishErrorKind;
use tokio::time::{sleep, timeout};

use super::conformance::HUGE;
use super::faults::{SOON, is_transient};
use super::{Driver, Login, arrivals, ids, message, message_of};
use crate::proxy::Proxy;

/// [`deadline`](MessageBroker::deadline) must name less than 20 seconds, and a call to a server that stops answering must
/// end by then.
pub async fn names_its_deadline_and_keeps_it<D: Driver>() {
    let driver = D::start().await;
    let broker = driver.connect(Login::Right);
    let deadline = broker.deadline().expect("it has one");
    assert!(deadline < SOON, "{deadline:?}");
    for connected in [false, true] {
        if connected {
            broker.publish(&message(0)).await.expect("the server is well");
        }
        driver.server().pause();
        let begun = Instant::now();
        broker.publish(&message(1)).await.expect_err("nobody answers");
        // The time that a busy machine takes is not the broker's.
        assert!(begun.elapsed() < deadline + Duration::from_secs(3), "it took {:?}", begun.elapsed());
        driver.server().resume();
    }
}

/// After a restart of the server while nobody published, the first message must not be ambiguous, however long the
/// silence was.
pub async fn a_restart_in_silence_makes_no_message_ambiguous<D: Driver>() {
    let driver = D::start().await;
    let broker = driver.connect(Login::Right);
    for silence in [0, 100, 700, 1_500, 3_000].map(Duration::from_millis) {
        broker.publish(&message(0)).await.expect("the server is well");
        driver.server().kill();
        driver.server().restart();
        sleep(silence).await;
        let answers = [broker.publish(&message(1)).await, broker.publish_batch(&[message(2)]).await.remove(0)];
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(is_transient(&error), "after {silence:?}: {error:?}");
        }
    }
}

/// The same, where the program's only thread slept meanwhile, so that its runtime heard of nothing.
pub async fn a_restart_that_the_program_slept_through_makes_no_message_ambiguous<D: Driver>() {
    let driver = D::start().await;
    let sleeping = tokio::task::spawn_blocking(move || {
        let broker = driver.connect(Login::Right);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for silence in [0, 100, 1_500].map(Duration::from_millis) {
            for batch in [false, true] {
                runtime.block_on(broker.publish(&message(0))).expect("the server is well");
                driver.server().kill();
                driver.server().restart();
                std::thread::sleep(silence);
                let answer = runtime.block_on(async {
                    let message = message(1);
                    if batch {
                        broker.publish_batch(&[message]).await.remove(0)
                    } else {
                        broker.publish(&message).await
                    }
                });
                if let Err(error) = answer {
                    assert!(is_transient(&error), "after {silence:?}: {error:?}");
                }
            }
        }
    });
    sleeping.await.expect("it succeeds");
}

/// After the network closed a connection that nobody used, the first message must be taken.
pub async fn a_connection_closed_in_silence_costs_no_message<D: Driver>() {
    let driver = D::start().await;
    let proxy = Proxy::start(driver.server().address());
    let broker = driver.connect_through(proxy.address());
    for silence in [100, 1_500].map(Duration::from_millis) {
        broker.publish(&message(0)).await.expect("the server is well");
        proxy.cut();
        sleep(silence).await;
        let answer = broker.publish(&message(1)).await;
        answer.unwrap_or_else(|error| panic!("after {silence:?}: {error:?}"));
    }
}

/// Callers that drop their calls long before the deadline must get a new connection once the present one answers
/// nothing any more.
pub async fn callers_that_give_up_early_get_a_new_connection<D: Driver>() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let proxy = Proxy::start(driver.server().address());
    let broker = driver.connect_through(proxy.address());
    let before = message(0);
    broker.publish(&before).await.expect("the server is well");
    for batches in [false, true] {
        proxy.swallow();
        let begun = Instant::now();
        let after = message(1);
        let mut calls = 0;
        loop {
            let once = std::slice::from_ref(&after);
            let publishing = async {
                if batches { broker.publish_batch(once).await.remove(0) } else { broker.publish(&after).await }
            };
            match timeout(PATIENCE, publishing).await {
                Ok(Ok(_)) => break,
                Ok(Err(error)) => assert_ne!(error.kind(), PublishErrorKind::Fatal, "{error:?}"),
                Err(_) => calls += 1,
            }
            assert!(begun.elapsed() < SOON, "{calls} calls, {} connections", proxy.accepted());
        }
        // Where the last caller gave up just before its answer came, the message is there twice.
        while listener.next().await.expect("the server is well").id != after.id {}
    }
}

/// A body that only the server finds too large must fail alone, with its cause; the messages beside and behind it must
/// be taken.
pub async fn a_body_that_the_server_finds_too_large_fails_alone<D: Driver>() {
    let driver = D::start().await;
    let mut listener = driver.listen().await;
    let broker = driver.connect(Login::Right);
    let most = D::GUARANTEES.max_body.unwrap_or(HUGE);
    broker.publish(&message(0)).await.expect("the server is well");
    driver.server().limit(most / 2);
    let mut taken: Vec<_> = vec![message(1)];
    for round in 0..3 {
        let large = || message_of(vec![b'x'; most / 2 + 1 + round]);
        let batch = [message(2), large(), message(3), large(), message(4)];
        let mut answers = broker.publish_batch(&batch).await;
        let single = [message(5), large(), message(6)];
        for message in &single {
            answers.push(broker.publish(message).await);
        }
        let refused: Vec<_> = (0..answers.len()).filter(|number| answers[*number].is_err()).collect();
        assert_eq!(refused, [1, 3, 6], "{answers:?}");
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(!is_transient(&error), "{error:?}");
            assert!(error.code().is_some() || std::error::Error::source(&error).is_some(), "{error:?}");
        }
        let sent = batch.into_iter().chain(single).enumerate().filter(|(number, _)| !refused.contains(number));
        taken.extend(sent.map(|(_, message)| message));
    }
    let heard: Vec<_> = arrivals(&driver, &mut *listener).await.into_iter().map(|message| message.id).collect();
    let missing: Vec<_> = ids(&taken[1..]).into_iter().filter(|id| !heard.contains(id)).collect();
    assert!(missing.is_empty(), "taken, and not there: {missing:?}");
}
