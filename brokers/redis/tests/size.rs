//! Messages, numbers and times of any size.

use std::sync::Arc;
use std::time::Duration;

use diator::broker::{MessageBroker, PublishErrorKind};
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{message, message_of};
use diator_tests::redis_server::RedisServer;
use tokio::task::JoinSet;

fn streams(server: &RedisServer) -> RedisBroker {
    RedisBroker::new(RedisConfig::streams(server.url())).unwrap()
}

fn entries(server: &RedisServer) -> usize {
    server.cli().run(&["XLEN", "diator:events"])[0].parse().unwrap()
}

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn large_parts_of_any_kind_fail_alone_and_say_why() {
    // The user may not ask for the limit.
    let server = RedisServer::start(&["proto-max-bulk-len 1mb", "user half on >pw ~* &* +@all -config"]);
    let url = format!("redis://half:pw@127.0.0.1:{}", server.port());
    let broker = RedisBroker::new(RedisConfig::streams(url)).unwrap();
    let large_body = || message_of(vec![b'x'; 3 * MIB]);
    let large_key = || message(0).with_key("k".repeat(3 * MIB));
    let batch = [message(0), large_body(), message(1), large_key(), message(2), large_body()];
    for round in 1..=5 {
        let answers = broker.publish_batch(&batch).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, true, false]);
        for error in answers.into_iter().filter_map(Result::err) {
            let text = error.to_string();
            match error.kind() {
                PublishErrorKind::Fatal => assert_eq!(text, "redis cannot read a message of that size (ERR)"),
                // The server's last words were lost with the connection.
                _ => assert!(text.contains("may be more than its `proto-max-bulk-len`"), "{text}"),
            }
            assert!(std::error::Error::source(&error).is_some());
        }
        broker.publish(&message(3)).await.expect("the connection is usable");
        assert_eq!(entries(&server), 4 * round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_does_no_harm_to_calls_beside_it() {
    let server = RedisServer::start(&["proto-max-bulk-len 1mb"]);
    let broker = Arc::new(streams(&server));
    let mut beside = JoinSet::new();
    for _ in 0..4 {
        let broker = broker.clone();
        beside.spawn(async move {
            for number in 0..300 {
                broker.publish(&message(number)).await.expect("it is small");
            }
            let messages: Vec<_> = (0..300).map(message).collect();
            assert!(broker.publish_batch(&messages).await.iter().all(Result::is_ok));
        });
    }
    while !beside.is_empty() {
        broker.publish(&message_of(vec![b'x'; 2 * MIB])).await.expect_err("it is large");
        while let Some(ended) = beside.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(entries(&server), 4 * 600);
}

#[tokio::test]
async fn what_the_query_buffer_cannot_hold_fails_alone() {
    let server = RedisServer::start(&["client-query-buffer-limit 1mb"]);
    let broker = streams(&server);
    let batch = [message(0), message_of(vec![b'x'; 3 * MIB]), message(1)];
    let answers = broker.publish_batch(&batch).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(answers[1].as_ref().unwrap_err().to_string().contains("`client-query-buffer-limit`"), "{answers:?}");
    broker.publish(&message(2)).await.unwrap();
}

#[tokio::test]
async fn many_messages_of_medium_size_go_out_in_several_pipelines() {
    let server = RedisServer::start(&["client-query-buffer-limit 8mb"]);
    let broker = streams(&server);
    let large_header = "h".repeat(7_000);
    let messages: Vec<_> = (0..60)
        .map(|_| message_of(vec![b'x'; MIB / 2]).with_key(&*large_header).with_traceparent(&*large_header))
        .collect();
    assert!(broker.publish_batch(&messages).await.iter().all(Result::is_ok));
    assert_eq!(entries(&server), 60);
}

#[tokio::test]
async fn no_time_and_no_number_is_too_large_to_be_refused_or_kept() {
    for time in [Duration::MAX, Duration::from_secs(u64::MAX)] {
        let refused = RedisBroker::new(RedisConfig::pub_sub("redis://localhost").deadline(time)).unwrap_err();
        assert_eq!(refused.problems().len(), 1, "{refused}");
    }
    let server = RedisServer::start(&[]);
    let longest = RedisConfig::streams(server.url()).deadline(Duration::from_secs(3600));
    let longest = longest.max_body(usize::MAX).max_len(usize::MAX);
    for time in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_nanos(1)] {
        let config = longest.clone().probe_after(time).renew_after(time);
        let broker = RedisBroker::new(config).unwrap();
        assert_eq!(broker.deadline(), Some(Duration::from_secs(3600)));
        for number in 0..3 {
            // A number that Redis does not take is its own refusal, and no panic.
            let _ = broker.publish(&message(number)).await;
            assert_eq!(broker.publish_batch(&[message(number), message(number)]).await.len(), 2);
        }
        broker.ping().await.unwrap();
    }
    let shortest = RedisConfig::streams(server.url()).deadline(Duration::from_nanos(1));
    if let Err(error) = RedisBroker::new(shortest).unwrap().publish(&message(0)).await {
        assert_ne!(error.kind(), PublishErrorKind::Fatal, "{error:?}");
    }
}
