//! Batches: bounded, side by side, one answer for each message.

use std::collections::HashSet;
use std::time::Duration;

use crate::service_bus::{Answer, Captured, ServiceBusServer};
use diator::broker::{MessageBroker, OutboundMessage, PublishError, PublishErrorKind};
use tokio::time::{Instant, timeout};

use super::{PATIENCE, broker, message};

fn bodies(taken: &[Captured]) -> Vec<String> {
    taken.iter().map(|request| String::from_utf8(request.body.clone()).unwrap()).collect()
}

fn numbered(count: usize) -> Vec<OutboundMessage> {
    (0..count).map(|number| message(&number.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_goes_out_side_by_side_and_within_its_bounds() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work").concurrency(4));
    server.hold();
    let messages = numbered(100);
    let publishing = tokio::spawn(async move { broker.publish_batch(&messages).await });
    timeout(PATIENCE, server.requests_at_least(4)).await.expect("four are under way at once");
    tokio::task::yield_now().await;
    assert_eq!(server.requests().len(), 4, "and no more");
    server.resume();
    let answers = timeout(PATIENCE, publishing).await.expect("all are answered").unwrap();
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(Result::is_ok));
    assert!(server.connections() <= 20, "{} connections", server.connections());
    let taken: HashSet<_> = bodies(&server.taken()).into_iter().collect();
    assert_eq!((taken.len(), server.taken().len()), (100, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stand_at_the_places_of_their_messages() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work").max_body(10).concurrency(8));
    server.limit(8);
    let bodies = ["a", "too long for us", "b", "refused!!", "c"];
    let answers = broker.publish_batch(&bodies.map(message)).await;
    let texts: Vec<_> = answers.into_iter().map(|answer| answer.err().map(|error| error.to_string())).collect();
    let ours = "service bus driver cannot send `UserJoined`: its body has 15 bytes, and 10 is the limit";
    let theirs = "service bus refused the message (413)";
    assert_eq!(texts, [None, Some(ours.to_owned()), None, Some(theirs.to_owned()), None]);
    assert_eq!(server.taken().len(), 3);
    assert!(broker.publish_batch(&[]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_with_one_key_keep_their_order_and_a_failure_does_not_hold_up_the_next() {
    let server = ServiceBusServer::start();
    let broker = broker(server.config().queue("work").concurrency(16));
    let messages: Vec<_> =
        (0..90).map(|number| message(&number.to_string()).with_key(["a", "b", "c"][number % 3])).collect();
    server.script([Answer::error(503, "busy")]);
    let answers = broker.publish_batch(&messages).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
    let taken = server.taken();
    assert_eq!(taken.len(), 89);
    for key in ["a", "b", "c"] {
        let of_key: Vec<_> = taken.iter().filter(|request| request.broker_properties()["SessionId"] == key).collect();
        let numbers: Vec<usize> =
            of_key.iter().map(|request| String::from_utf8_lossy(&request.body).parse().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers.len() >= 29, "{key}: {numbers:?}");
    }
}

#[tokio::test]
async fn one_deadline_bounds_the_batch_and_tells_sent_from_unsent() {
    let server = ServiceBusServer::start();
    let deadline = Duration::from_secs(2);
    let config = server.config().queue("work").concurrency(2).deadline(deadline);
    let broker = broker(config.connect_timeout(Duration::from_millis(1900)));
    server.script([Answer::created(), Answer::Hang, Answer::Hang]);
    let begun = Instant::now();
    let answers = timeout(PATIENCE, broker.publish_batch(&numbered(10))).await.expect("the deadline holds");
    assert!(begun.elapsed() >= deadline);
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(PublishError::kind)).collect();
    let count = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert_eq!(kinds.len(), 10);
    assert_eq!(count(None), 1, "{kinds:?}");
    assert_eq!(count(Some(PublishErrorKind::Ambiguous)), 2, "{kinds:?}");
    assert_eq!(count(Some(PublishErrorKind::Transient { retry_after: None })), 7, "{kinds:?}");
    let unsent = answers.iter().rev().find_map(|answer| answer.as_ref().err()).unwrap();
    assert_eq!(unsent.to_string(), "the batch took longer than 2s, and the message was not sent");
    assert_eq!(server.requests().len(), 3, "what was not sent did not arrive");
}
