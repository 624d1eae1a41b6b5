//! Names of consumers.

use std::time::Duration;

use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;

use super::world::{LOCK, close, config, open, publish, take, values_of};

#[tokio::test]
async fn names_are_unique_and_stay_across_a_restart() {
    let server = RedisServer::start(&[]);
    publish(config(&server), 0..4).await;
    let (mut first, mut second) = (open(config(&server), "billing").await, open(config(&server), "billing").await);
    let names = || values_of(&server.cli().run(&["XINFO", "CONSUMERS", "orders", "billing"]), "name");
    take(&mut first, 1).await;
    take(&mut second, 1).await;
    assert_eq!(names(), ["0", "1"]);
    close(first).await;
    let mut first = open(config(&server), "billing").await;
    assert_eq!(take(&mut first, 2).await.len(), 2);
    assert_eq!(names(), ["0", "1"], "it has the name that it had");
    close(second).await;
    close(first).await;
    assert_eq!(server.cli().run(&["HLEN", "diator:slots:billing"]), ["0"]);
}

#[tokio::test]
async fn a_name_outlives_a_process_with_a_shorter_lock() {
    let server = RedisServer::start(&[]);
    let _first = open(config(&server).lock(Duration::from_secs(600)), "billing").await;
    // As if it were killed.
    drop(open(config(&server), "billing").await);
    sleep(LOCK + Duration::from_millis(500)).await;
    let third = open(config(&server), "billing").await;
    let names = server.cli().run(&["HKEYS", "diator:slots:billing"]);
    assert_eq!(names, ["0", "1"], "the first one has its name");
    close(third).await;
}
