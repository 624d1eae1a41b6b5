//! The one layer that retries, on a clock that is wound by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diator::broker::{
    EventRoute, Guarantees, InMemoryBroker, MessageType, NotAccepted, PublishErrorKind, Receipt, RetryPolicy,
    RetryingBroker,
};
use diator::{MessageBroker, OutboundMessage, PublishError};
use diator_testkit::broker::{ids, message};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_wait_that_nobody_lives_to_see_is_no_attempt_and_no_panic() {
    fn ages(_: usize, _: &OutboundMessage) -> Option<PublishError> {
        Some(PublishError::transient("come back later").with_retry_after(Duration::MAX))
    }
    fn seconds(_: usize, _: &OutboundMessage) -> Option<PublishError> {
        Some(PublishError::transient("come back later").with_retry_after(Duration::from_secs(u64::MAX)))
    }
    for script in [ages as fn(usize, &OutboundMessage) -> Option<PublishError>, seconds] {
        let inner = Scripted::new(script);
        let broker = RetryingBroker::new(inner.clone(), RetryPolicy::new()).unwrap();
        let begun = Instant::now();
        assert!(broker.publish(&message(0)).await.is_err());
        assert!(broker.publish_batch(&[message(1), message(2)]).await.iter().all(Result::is_err));
        assert_eq!((inner.calls(), begun.elapsed()), (2, Duration::ZERO));
    }
}

/// Answers after its time, and has no `publish_batch` of its own.
struct Slow(Duration);

#[diator::async_trait]
impl MessageBroker for Slow {
    async fn publish(&self, _: &OutboundMessage) -> Result<Receipt, PublishError> {
        tokio::time::sleep(self.0).await;
        Ok(Receipt::Accepted)
    }

    fn deadline(&self) -> Option<Duration> {
        Some(2 * SECOND)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none()
    }
}

#[tokio::test(start_paused = true)]
async fn one_deadline_bounds_a_batch_that_is_published_one_by_one() {
    let messages: Vec<_> = (0..10).map(message).collect();
    let begun = Instant::now();
    let answers = Slow(Duration::from_millis(700)).publish_batch(&messages).await;
    assert_eq!(begun.elapsed(), 2 * SECOND, "it took ten times 700 ms");
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(PublishError::kind)).collect();
    let mut expected = vec![None, None, Some(AMBIGUOUS)];
    expected.resize(10, Some(BUSY));
    assert_eq!(kinds, expected, "what was not begun was certainly not sent");

    // The layer that retries goes on with what was not sent, for as long as its policy says.
    let policy = RetryPolicy::new().give_up_after(2 * SECOND);
    let broker = RetryingBroker::new(Slow(Duration::from_millis(700)), policy).unwrap();
    let begun = Instant::now();
    let answers = broker.publish_batch(&messages).await;
    assert!(begun.elapsed() <= broker.deadline().unwrap(), "{:?}", begun.elapsed());
    assert_eq!(answers.len(), 10);
    assert_eq!(broker.deadline(), Some(4 * SECOND));
    assert_eq!(RetryingBroker::new(InMemoryBroker::new(), RetryPolicy::new()).unwrap().deadline(), None);
}

const AMBIGUOUS: PublishErrorKind = PublishErrorKind::Ambiguous;
const BUSY: PublishErrorKind = PublishErrorKind::Transient { retry_after: None };
const SECOND: Duration = Duration::from_secs(1);

/// Refuses as it is told, call by call: `None` takes everything.
struct Scripted {
    memory: InMemoryBroker,
    calls: AtomicUsize,
    script: fn(usize, &OutboundMessage) -> Option<PublishError>,
}

impl Scripted {
    fn new(script: fn(usize, &OutboundMessage) -> Option<PublishError>) -> Arc<Self> {
        Arc::new(Self { memory: InMemoryBroker::new(), calls: AtomicUsize::new(0), script })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn answer(&self, call: usize, message: &OutboundMessage) -> Option<PublishError> {
        (self.script)(call, message)
    }
}

#[diator::async_trait]
impl MessageBroker for Scripted {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        self.answer(call, message).map_or(Ok(()), Err)?;
        self.memory.publish(message).await
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let mut answers = Vec::new();
        for message in messages {
            answers.push(match self.answer(call, message) {
                Some(error) => Err(error),
                None => self.memory.publish(message).await,
            });
        }
        answers
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none().durable()
    }

    fn accepts(&self, _: &EventRoute<'_>) -> Result<(), NotAccepted> {
        Err(NotAccepted::new("it takes nothing", "give up"))
    }
}

fn retrying<B: MessageBroker>(broker: B) -> RetryingBroker<B> {
    let policy = RetryPolicy::new().attempts(4).first_delay(SECOND).max_delay(4 * SECOND).give_up_after(60 * SECOND);
    RetryingBroker::new(broker, policy).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_is_published_again_with_the_same_id() {
    for kind in [BUSY, AMBIGUOUS] {
        let memory = InMemoryBroker::new();
        memory.refuse_next(3, kind);
        let (message, begun) = (message(1), Instant::now());
        assert_eq!(retrying(memory.clone()).publish(&message).await.unwrap(), Receipt::Accepted);
        assert_eq!(memory.published(), [message]);
        // One, two and four seconds, of which chance takes up to half.
        let waited = begun.elapsed();
        assert!(waited > 3500 * SECOND / 1000 && waited < 7001 * SECOND / 1000, "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_after_so_many_attempts() {
    let broker = Scripted::new(|call, _| Some(PublishError::transient(format!("call {call}"))));
    let error = retrying(broker.clone()).publish(&message(1)).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind(), broker.calls()), ("call 3", BUSY, 4));
}

#[tokio::test(start_paused = true)]
async fn what_is_fatal_is_not_tried_again() {
    let broker = Scripted::new(|call, _| {
        (call > 0).then(|| PublishError::fatal("no")).or(Some(PublishError::transient("busy")))
    });
    let begun = Instant::now();
    let error = retrying(broker.clone()).publish(&message(1)).await.unwrap_err();
    assert_eq!((error.kind(), broker.calls()), (PublishErrorKind::Fatal, 2));
    assert!(begun.elapsed() <= SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_names_a_time_gets_it() {
    let ask =
        |call, _: &OutboundMessage| (call == 0).then(|| PublishError::transient("busy").with_retry_after(30 * SECOND));
    let broker = Scripted::new(ask);
    let begun = Instant::now();
    retrying(broker.clone()).publish(&message(1)).await.unwrap();
    assert!(begun.elapsed() >= 30 * SECOND && begun.elapsed() < 31 * SECOND, "{:?}", begun.elapsed());

    let broker = Scripted::new(|_, _| Some(PublishError::transient("busy").with_retry_after(61 * SECOND)));
    let begun = Instant::now();
    let error = retrying(broker.clone()).publish(&message(1)).await.unwrap_err();
    assert_eq!((broker.calls(), begun.elapsed()), (1, Duration::ZERO), "it would be too late: {error}");
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_time_to_give_up() {
    let broker = Scripted::new(|_, _| Some(PublishError::transient("busy")));
    let policy = RetryPolicy::new().attempts(1000).first_delay(SECOND).max_delay(SECOND).give_up_after(10 * SECOND);
    let begun = Instant::now();
    RetryingBroker::new(broker.clone(), policy).unwrap().publish(&message(1)).await.unwrap_err();
    assert!(begun.elapsed() <= 10 * SECOND, "{:?}", begun.elapsed());
    assert!((10..=21).contains(&broker.calls()), "{}", broker.calls());
}

#[tokio::test(start_paused = true)]
async fn one_attempt_means_no_retry() {
    let broker = Scripted::new(|_, _| Some(PublishError::transient("busy")));
    let once = RetryingBroker::new(broker.clone(), RetryPolicy::new().attempts(1)).unwrap();
    once.publish(&message(1)).await.unwrap_err();
    assert!(once.publish_batch(&[message(2)]).await[0].is_err());
    assert_eq!(broker.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_taken_once_stays_ambiguous() {
    let script = |call, _: &OutboundMessage| {
        Some(match call {
            0 => PublishError::ambiguous("no answer"),
            1 => PublishError::transient("refused").with_code("503"),
            _ => PublishError::fatal("gone"),
        })
    };
    let error = retrying(Scripted::new(script)).publish(&message(1)).await.unwrap_err();
    assert_eq!(error.kind(), AMBIGUOUS);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "gone");
    let error = retrying(Scripted::new(script)).publish_batch(&[message(1)]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), AMBIGUOUS);
}

#[tokio::test(start_paused = true)]
async fn a_batch_tries_again_what_failed_and_keeps_its_answers_in_order() {
    // By the last digit of its number: 1 fails once, 2 twice, 3 for good, 4 for ever.
    let script = |call, message: &OutboundMessage| {
        let json: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        match (json["payload"]["number"].as_u64().unwrap() % 10, call) {
            (1, 0) | (4, _) => Some(PublishError::transient("busy")),
            (2, 0 | 1) => Some(PublishError::ambiguous("no answer")),
            (3, _) => Some(PublishError::fatal("no")),
            _ => None,
        }
    };
    let broker = Scripted::new(script);
    let messages: Vec<_> = [10, 11, 12, 13, 14, 20].map(message).into();
    let answers = retrying(broker.clone()).publish_batch(&messages).await;
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.err().map(|error| error.kind())).collect();
    assert_eq!(kinds, [None, None, None, Some(PublishErrorKind::Fatal), Some(BUSY), None]);
    assert_eq!(broker.calls(), 4);
    let expected = [&messages[0], &messages[5], &messages[1], &messages[2]].map(|message| message.id);
    assert_eq!(ids(&broker.memory.published()), expected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_failures_is_one_call() {
    let broker = Scripted::new(|_, _| None);
    assert!(retrying(broker.clone()).publish_batch(&[]).await.is_empty());
    assert_eq!(retrying(broker.clone()).publish_batch(&[message(1), message(2)]).await.len(), 2);
    assert_eq!(broker.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_leaves_answers_out_is_not_believed() {
    struct Forgetful;

    #[diator::async_trait]
    impl MessageBroker for Forgetful {
        async fn publish(&self, _: &OutboundMessage) -> Result<Receipt, PublishError> {
            Ok(Receipt::Sent)
        }

        async fn publish_batch(&self, _: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
            vec![Ok(Receipt::Sent)]
        }

        fn guarantees(&self) -> Guarantees {
            Guarantees::none()
        }
    }

    let messages = [message(1), message(2), message(3)];
    let answers = retrying(Forgetful).publish_batch(&messages).await;
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(Result::is_ok), "one more is answered with each attempt: {answers:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ends_the_attempts() {
    let broker = Scripted::new(|_, _| Some(PublishError::transient("busy")));
    let retrying = retrying(broker.clone());
    assert!(tokio::time::timeout(SECOND / 10, retrying.publish(&message(1))).await.is_err());
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(broker.calls(), 1);
}

#[test]
fn it_promises_and_accepts_what_its_broker_does() {
    let broker = retrying(Scripted::new(|_, _| None));
    assert!(broker.guarantees().durable);
    assert!(broker.accepts(&EventRoute::new(MessageType::Ecst, "A")).is_err());
}
