//! What every broker does while its server is well.
//!
//! Each function is a case: it panics where the broker does not do what the case demands.
//! [`broker_conformance!`](crate::broker_conformance) makes tests of them all.

use std::sync::Arc;
use std::time::Duration;

use diator::broker::{PublishErrorKind, Receipt};
use diator::{MessageBroker, OutboundMessage};
use tokio::task::JoinSet;

use super::message::heard_until;
use super::{Arrived, Driver, Listener, Login, arrivals, ids, message, message_of};
use crate::polling::drop_after;

/// The large body that everybody takes.
const LARGE: usize = 200 * 1024;
/// What a broker without a limit has to take.
pub(super) const HUGE: usize = 4 * 1024 * 1024;

struct Fixture<D> {
    driver: D,
    broker: Arc<dyn MessageBroker>,
    listener: Box<dyn Listener>,
}

impl<D: Driver> Fixture<D> {
    async fn new() -> Self {
        let driver = D::start().await;
        let broker = driver.connect(Login::Right);
        let listener = driver.listen().await;
        Self { driver, broker, listener }
    }

    async fn publish(&self, messages: &[OutboundMessage]) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for message in messages {
            receipts.push(self.broker.publish(message).await.expect("the server is well"));
        }
        receipts
    }

    async fn arrived(&mut self) -> Vec<Arrived> {
        arrivals(&self.driver, &mut *self.listener).await
    }

    /// Asserts that exactly these messages arrived, in their order where that is promised.
    async fn assert_arrived(&mut self, messages: &[OutboundMessage]) {
        let mut arrived = self.arrived().await;
        let mut expected: Vec<_> =
            messages.iter().map(|message| Arrived { id: message.id, body: message.body.to_vec() }).collect();
        if !D::GUARANTEES.ordered {
            arrived.sort_unstable_by_key(|message| message.id);
            expected.sort_unstable_by_key(|message| message.id);
        }
        assert_eq!(arrived, expected);
    }
}

/// [`guarantees`](MessageBroker::guarantees) must return what [`Driver::GUARANTEES`] states.
pub async fn declares_its_guarantees<D: Driver>() {
    let driver = D::start().await;
    assert_eq!(driver.connect(Login::Right).guarantees(), D::GUARANTEES);
}

/// Each of 200 messages must arrive once with its id and its bytes, in their order where the broker is ordered.
pub async fn every_message_arrives_once_byte_for_byte_and_in_order<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let messages: Vec<_> = (0..200).map(message).collect();
    fixture.publish(&messages).await;
    fixture.assert_arrived(&messages).await;
}

/// A confirmed broker must not answer with [`Receipt::Sent`], and a durable one must say where it stored the message.
pub async fn a_receipt_says_no_less_than_was_promised<D: Driver>() {
    let fixture = Fixture::<D>::new().await;
    let mut receipts = fixture.publish(&[message(0)]).await;
    receipts.extend(fixture.broker.publish_batch(&[message(1)]).await.into_iter().map(Result::unwrap));
    for receipt in receipts {
        assert!(!D::GUARANTEES.confirmed || receipt != Receipt::Sent, "{receipt:?}");
        if D::GUARANTEES.durable {
            assert!(matches!(&receipt, Receipt::Persisted { position } if !position.is_empty()), "{receipt:?}");
        }
    }
}

/// A batch must have an answer for each message, and a body that is too large must not keep the others from arriving.
pub async fn a_batch_answers_for_each_message<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    assert!(fixture.broker.publish_batch(&[]).await.is_empty());
    let mut messages: Vec<_> = (0..10).map(message).collect();
    let spoilt = D::GUARANTEES.max_body.map(|most| {
        messages[3].body = vec![b'x'; most + 1].into();
        messages[9].body = messages[3].body.clone();
        [3, 9]
    });
    let answers = fixture.broker.publish_batch(&messages).await;
    let failed: Vec<_> = (0..answers.len()).filter(|number| answers[*number].is_err()).collect();
    assert_eq!((answers.len(), failed), (10, spoilt.map_or_else(Vec::new, Vec::from)));
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
    }
    let sent: Vec<_> =
        messages.into_iter().zip(answers).filter(|(_, answer)| answer.is_ok()).map(|(sent, _)| sent).collect();
    fixture.assert_arrived(&sent).await;
}

/// A batch of 2,500 messages must be taken whole, and arrive in its order where the broker is ordered.
pub async fn a_batch_of_thousands_arrives_in_order<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let messages: Vec<_> = (0..2500).map(message).collect();
    let answers = fixture.broker.publish_batch(&messages).await;
    assert_eq!((answers.len(), answers.iter().filter(|answer| answer.is_ok()).count()), (2500, 2500));
    fixture.assert_arrived(&messages).await;
}

/// All messages of eight tasks that publish at once must arrive, those of each task in their order where the broker is
/// ordered.
pub async fn concurrent_publishers_lose_nothing<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let mut publishers = JoinSet::new();
    for publisher in 0..8 {
        let broker = fixture.broker.clone();
        publishers.spawn(async move {
            let messages: Vec<_> = (0..50).map(|number| message(publisher * 1000 + number)).collect();
            for message in &messages[..40] {
                broker.publish(message).await.expect("the server is well");
            }
            let answers = broker.publish_batch(&messages[40..]).await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            ids(&messages)
        });
    }
    let published = publishers.join_all().await;
    let arrived: Vec<_> = fixture.arrived().await.into_iter().map(|message| message.id).collect();
    assert_eq!(arrived.len(), 400);
    for publisher in published {
        let mut heard: Vec<_> = arrived.iter().copied().filter(|id| publisher.contains(id)).collect();
        if !D::GUARANTEES.ordered {
            // They were drawn in this order.
            heard.sort_unstable();
        }
        assert_eq!(heard, publisher);
    }
}

/// Bodies of any text must arrive byte for byte: empty ones, large ones, and those that look like a protocol.
pub async fn any_bytes_travel_unchanged<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let bodies: [Vec<u8>; 7] = [
        Vec::new(),
        "Доу \"Ünï\" 🦀\u{feff}\u{2028}".into(),
        b"line\r\nbreaks\n\ttabs \\ \"quotes\"".to_vec(),
        b"{}".to_vec(),
        b"*3\r\n$7\r\nPUBLISH\r\n".to_vec(),
        (b' '..=b'~').cycle().take(LARGE).collect(),
        b"{\"a\":1}\n".to_vec(),
    ];
    let messages = bodies.map(message_of);
    fixture.publish(&messages).await;
    fixture.assert_arrived(&messages).await;
}

/// A body as large as the limit must be taken, a larger one must be a fatal error that names the limit, and the broker
/// must stay usable.
pub async fn a_body_that_is_too_large_is_refused_for_good<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let sized = |bytes| message_of(vec![b'x'; bytes]);
    let fitting = sized(D::GUARANTEES.max_body.unwrap_or(HUGE));
    fixture.publish(std::slice::from_ref(&fitting)).await;
    if let Some(most) = D::GUARANTEES.max_body {
        let error = fixture.broker.publish(&sized(most + 1)).await.expect_err("it is too large");
        assert_eq!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
        assert!(error.to_string().contains(&most.to_string()), "{error}");
    }
    let after = message(1);
    fixture.publish(std::slice::from_ref(&after)).await;
    fixture.assert_arrived(&[fitting, after]).await;
}

/// A message that is published twice must arrive with one id, once where the broker drops duplicates and else twice.
pub async fn a_message_published_again_has_the_same_id<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let (again, after) = (message(0), message(1));
    fixture.publish(&[again.clone(), again.clone(), after.clone()]).await;
    let heard = heard_until::<D>(after.id, &mut *fixture.listener).await;
    let mut heard: Vec<_> = heard.into_iter().map(|message| message.id).collect();
    if !D::GUARANTEES.ordered {
        // They were drawn in this order.
        heard.sort_unstable();
    }
    let expected =
        if D::GUARANTEES.deduplicated { vec![again.id, after.id] } else { vec![again.id, again.id, after.id] };
    assert_eq!(heard, expected);
}

/// A consumer that comes after the messages must get them where the broker retains them, and none of them elsewhere.
pub async fn who_comes_late_hears_what_is_kept<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let messages: Vec<_> = (0..20).map(message).collect();
    fixture.publish(&messages).await;
    fixture.listener = fixture.driver.listen().await;
    fixture.assert_arrived(if D::GUARANTEES.retained { &messages } else { &[] }).await;
}

/// A text that came with a message must not control the terminal of somebody who reads the error that it causes.
pub async fn texts_of_errors_give_no_orders<D: Driver>() {
    const FORGED: &str = "orders\n2026-11-28 ERROR all is lost\u{1b}[31m";
    let fixture = Fixture::<D>::new().await;
    let mut forged = message(0).with_topic(FORGED);
    forged.name = FORGED.into();
    let answers = fixture.broker.publish_batch(std::slice::from_ref(&forged)).await;
    for error in answers.into_iter().chain([fixture.broker.publish(&forged).await]).filter_map(Result::err) {
        let mut next = Some(&error as &dyn std::error::Error);
        while let Some(error) = next {
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains(['\n', '\u{1b}']), "{text}");
            }
            next = error.source();
        }
    }
}

/// A dropped `publish` must leave the broker usable, and no message that nobody published.
pub async fn a_publish_that_is_dropped_leaves_the_broker_usable<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let dropped: Vec<_> = (0..30).map(message).collect();
    for (number, message) in dropped.iter().enumerate() {
        drop_after(1 + number % 3, fixture.broker.publish(message)).await;
        drop_after(1 + number % 3, fixture.broker.publish_batch(std::slice::from_ref(message))).await;
    }
    let after: Vec<_> = (100..110).map(message).collect();
    fixture.publish(&after).await;
    let last = message(0);
    fixture.publish(std::slice::from_ref(&last)).await;
    let heard: Vec<_> =
        heard_until::<D>(last.id, &mut *fixture.listener).await.into_iter().map(|message| message.id).collect();
    let mut whole: Vec<_> = heard.iter().copied().filter(|id| ids(&after).contains(id)).collect();
    if !D::GUARANTEES.ordered {
        whole.sort_unstable();
    }
    assert_eq!(whole, ids(&after));
    let known = [ids(&dropped), ids(&after), vec![last.id]].concat();
    assert!(heard.iter().all(|id| known.contains(id)), "something arrived that nobody published");
}

/// A broker must take messages from a second runtime, and from the first one again once the second has ended.
pub async fn a_broker_can_be_used_from_another_runtime<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let (first, second) = (message(0), message(1));
    let (broker, publishing) = (fixture.broker.clone(), first.clone());
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(broker.publish(&publishing)).expect("the server is well");
    });
    tokio::task::spawn_blocking(|| elsewhere.join().expect("it succeeds")).await.expect("it succeeds");
    // What the other runtime had may be gone with it: one failure is fair, if it is not passed over.
    let mut attempts = 0;
    while let Err(error) = fixture.broker.publish(&second).await {
        assert_ne!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
        attempts += 1;
        assert!(attempts < 3, "{error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fixture.assert_arrived(&[first, second]).await;
}

/// Runtimes may use one broker one after the other and at once, end whenever they like, or rest: no message may be lost by
/// that.
pub async fn runtimes_may_come_and_go<D: Driver>() {
    let mut fixture = Fixture::<D>::new().await;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut published = Vec::new();
    // Those that rest still have what they had; nobody drives it.
    let mut resting = Vec::new();
    for number in 0..6 {
        let (broker, message) = (fixture.broker.clone(), message(number));
        let publishing = message.clone();
        let elsewhere = std::thread::spawn(move || {
            let runtime = runtime();
            runtime.block_on(broker.publish(&publishing)).expect("the server is well");
            runtime
        });
        let runtime =
            tokio::task::spawn_blocking(|| elsewhere.join().expect("it succeeds")).await.expect("it succeeds");
        if number % 2 == 0 {
            resting.push(runtime);
        } else {
            runtime.shutdown_background();
        }
        published.push(message);
    }
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let broker = fixture.broker.clone();
            std::thread::spawn(move || {
                let messages: Vec<_> = (0..10 * (thread + 1)).map(message).collect();
                runtime().block_on(async {
                    for message in &messages {
                        broker.publish(message).await.expect("the server is well");
                    }
                });
                messages
            })
        })
        .collect();
    for thread in threads {
        let messages = tokio::task::spawn_blocking(|| thread.join().expect("it succeeds")).await.expect("it succeeds");
        published.extend(messages);
    }
    resting.into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
    let mut heard: Vec<_> = fixture.arrived().await.into_iter().map(|message| message.id).collect();
    let mut expected = ids(&published);
    heard.sort_unstable();
    expected.sort_unstable();
    assert_eq!(heard, expected);
}
