//! A message that must be with replicas, on servers that have them, lose them, or have none.

use std::time::Duration;

use diator::broker::{MessageBroker, PublishErrorKind};
use diator_redis::{RedisBroker, RedisConfig};
use diator_testkit::broker::{Server, message};
use diator_testkit::{Proxy, within_patience};
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;

/// A server and its replica, which has caught up, and from now on is 50 ms behind.
async fn pair() -> (RedisServer, RedisServer, Proxy) {
    let (primary, replica) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let link = Proxy::start(primary.address());
    replica.cli().run(&["REPLICAOF", "127.0.0.1", &link.address().port().to_string()]);
    let answers =
        |server: &RedisServer, command: &[&str], wanted: &str| server.cli().run(command).join("\n").contains(wanted);
    within_patience(async {
        while !answers(&replica, &["INFO", "replication"], "master_link_status:up") {
            sleep(Duration::from_millis(20)).await;
        }
        // It may count as online, and yet be sent nothing for another second.
        primary.cli().run(&["SET", "sent", "later than the copy"]);
        while !answers(&replica, &["GET", "sent"], "later than the copy") {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    link.delay(Duration::from_millis(50));
    (primary, replica, link)
}

fn broker(server: &RedisServer) -> RedisBroker {
    RedisBroker::new(RedisConfig::streams(server.url()).replicas(1).deadline(Duration::from_secs(2))).unwrap()
}

fn entries(server: &RedisServer) -> usize {
    server.cli().run(&["XLEN", "diator:events"])[0].parse().unwrap()
}

#[tokio::test]
async fn what_is_taken_is_with_the_replica() {
    let (primary, replica, _link) = pair().await;
    let broker = broker(&primary);
    broker.publish(&message(0)).await.unwrap();
    assert_eq!(entries(&replica), 1);
    let batch: Vec<_> = (1..200).map(message).collect();
    assert!(broker.publish_batch(&batch).await.iter().all(Result::is_ok));
    assert_eq!(entries(&replica), 200);
}

#[tokio::test]
async fn without_its_replica_a_message_is_ambiguous() {
    let (primary, replica, _link) = pair().await;
    let broker = broker(&primary);
    broker.publish(&message(0)).await.unwrap();
    replica.pause();
    for answer in broker.publish_batch(&[message(1), message(2)]).await {
        assert_eq!(answer.unwrap_err().kind(), PublishErrorKind::Ambiguous);
    }
    assert_eq!(entries(&primary), 3, "the server has it");
    replica.resume();
    broker.publish(&message(1)).await.unwrap();
    assert_eq!(entries(&replica), 4);
}

#[tokio::test]
async fn what_the_server_refuses_needs_no_replica() {
    let (primary, _replica, _link) = pair().await;
    primary.cli().run(&["SET", "diator:events", "no stream"]);
    let error = broker(&primary).publish(&message(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (PublishErrorKind::Fatal, Some("WRONGTYPE")));
}
