//! The publishing half.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::broker::{MessageType, PublishErrorKind};

const AMBIGUOUS: PublishErrorKind = PublishErrorKind::Ambiguous;
const BUSY: PublishErrorKind = PublishErrorKind::Transient { retry_after: Some(Duration::from_secs(1)) };

fn message(name: &'static str) -> OutboundMessage {
    OutboundMessage::new(Uuid::nil(), MessageType::Notification, name, name.as_bytes())
}

fn names(broker: &InMemoryBroker) -> Vec<String> {
    broker.published().iter().map(|message| message.name.to_string()).collect()
}

fn kind(answer: Result<Receipt, PublishError>) -> Option<PublishErrorKind> {
    answer.err().map(|error| error.kind())
}

fn poll<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn it_keeps_what_was_published_in_order() {
    let broker = InMemoryBroker::new();
    assert!(broker.is_empty());
    for name in ["first", "second", "first"] {
        assert_eq!(broker.publish(&message(name)).await.expect("it accepts"), Receipt::Accepted);
    }
    assert_eq!(broker.published(), [message("first"), message("second"), message("first")]);
    assert_eq!(broker.len(), 3);
    assert_eq!(broker.take_published().len(), 3);
    assert!(broker.is_empty() && broker.take_published().is_empty());
}

#[tokio::test]
async fn clones_share_everything() {
    let broker = InMemoryBroker::new();
    let clone = broker.clone();
    clone.refuse_next(1, AMBIGUOUS);
    assert_eq!(kind(broker.publish(&message("a")).await), Some(AMBIGUOUS));
    assert_eq!(kind(broker.publish(&message("b")).await), None);
    assert_eq!(names(&clone), ["b"]);
}

#[tokio::test]
async fn it_refuses_until_told_otherwise_and_keeps_nothing() {
    let broker = InMemoryBroker::new();
    broker.refuse(BUSY);
    for _ in 0..3 {
        assert_eq!(kind(broker.publish(&message("a")).await), Some(BUSY));
    }
    assert!(broker.is_empty());
    broker.accept();
    assert_eq!(kind(broker.publish(&message("b")).await), None);
}

#[tokio::test]
async fn it_refuses_so_many_and_then_accepts() {
    let broker = InMemoryBroker::new();
    broker.refuse_next(2, PublishErrorKind::Fatal);
    let answers = broker.publish_batch(&[message("a"), message("b"), message("c")]).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, true]);
    broker.refuse(BUSY);
    broker.refuse_next(0, BUSY);
    assert_eq!(kind(broker.publish(&message("d")).await), None);
    assert_eq!(names(&broker), ["c", "d"]);
}

#[tokio::test]
async fn a_judge_chooses_and_may_use_the_broker() {
    let broker = InMemoryBroker::new();
    let inner = broker.clone();
    broker.refuse_if(move |message| {
        (message.name == "bad").then(|| PublishError::fatal(format!("refused after {}", inner.len())))
    });
    let answers = broker.publish_batch(&[message("good"), message("bad"), message("good")]).await;
    let errors: Vec<_> = answers.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    assert_eq!(errors, ["refused after 1"]);
    assert_eq!(names(&broker), ["good", "good"]);
}

#[tokio::test]
async fn it_survives_a_judge_that_panics() {
    let broker = InMemoryBroker::new();
    broker.refuse_if(|_| panic!("the judge panics"));
    let publishing = broker.clone();
    assert!(tokio::spawn(async move { publishing.publish(&message("a")).await }).await.is_err());
    broker.accept();
    assert_eq!(kind(broker.publish(&message("b")).await), None);
    assert_eq!(names(&broker), ["b"]);
}

#[tokio::test]
async fn it_hangs_until_it_accepts() {
    let broker = InMemoryBroker::new();
    broker.hang();
    let message = message("a");
    let mut publishing = pin!(broker.publish(&message));
    assert!(poll(publishing.as_mut()).is_pending());
    assert!(broker.is_empty());
    broker.accept();
    assert_eq!(publishing.await.expect("it accepts"), Receipt::Accepted);
    assert_eq!(broker.len(), 1);
}

#[tokio::test]
async fn what_hangs_can_be_refused() {
    let broker = InMemoryBroker::new();
    broker.hang();
    let message = message("a");
    let mut publishing = pin!(broker.publish(&message));
    assert!(poll(publishing.as_mut()).is_pending());
    broker.refuse(AMBIGUOUS);
    assert_eq!(kind(publishing.await), Some(AMBIGUOUS));
    assert!(broker.is_empty());
}

#[tokio::test]
async fn what_was_dropped_while_hanging_is_not_kept() {
    let broker = InMemoryBroker::new();
    broker.hang();
    let message = message("a");
    let mut publishing = broker.publish(&message);
    assert!(poll(publishing.as_mut()).is_pending());
    drop(publishing);
    broker.accept();
    tokio::task::yield_now().await;
    assert!(broker.is_empty());
}

#[tokio::test]
async fn a_reader_can_wait_for_messages() {
    let broker = InMemoryBroker::new();
    assert!(broker.published_at_least(0).await.is_empty());
    let mut waiting = pin!(broker.published_at_least(2));
    for (name, arrived) in [("a", false), ("b", true)] {
        broker.publish(&message(name)).await.expect("it accepts");
        match poll(waiting.as_mut()) {
            Poll::Ready(published) => assert!(arrived && published.len() == 2),
            Poll::Pending => assert!(!arrived),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_lose_nothing() {
    let broker = InMemoryBroker::new();
    broker.hang();
    for _ in 0..8 {
        let publishing = broker.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                publishing.publish(&message("a")).await.expect("it accepts");
            }
        });
    }
    broker.accept();
    let all = tokio::time::timeout(Duration::from_secs(20), broker.published_at_least(400)).await;
    assert_eq!(all.expect("all of them come").len(), 400);
}

#[tokio::test]
async fn bodies_are_read_as_json_where_they_are() {
    let broker = InMemoryBroker::new();
    let object = OutboundMessage { body: (*br#"{"user_id":7}"#).into(), ..message("Joined") };
    for message in [&object, &message("not json")] {
        broker.publish(message).await.expect("it accepts");
    }
    assert_eq!(broker.published_json(), [json!({"user_id": 7}), json!("not json")]);
}

#[test]
fn it_promises_no_durability() {
    let guarantees = InMemoryBroker::new().guarantees();
    assert!(guarantees.ordered && guarantees.confirmed && guarantees.retained);
    assert!(!guarantees.durable && !guarantees.deduplicated);
    assert!(format!("{:?}", InMemoryBroker::new()).contains("published: []"));
}
