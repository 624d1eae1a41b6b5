//! The group of an endpoint, and what is pending in it.

use std::time::Duration;

use diator::subscription::Verdict;
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use tokio::time::timeout;
use tracing::Level;

use super::world::{close, config, open, publish, settle, take};

#[tokio::test]
async fn what_an_answer_gave_out_that_was_lost_comes_first() {
    for (partitions, stream) in [(None, "orders"), (Some(1), "orders.0")] {
        let server = RedisServer::start(&[]);
        let config = config(&server).lock(Duration::from_secs(600));
        let config = partitions.map_or(config.clone(), |count| config.partitions(count));
        let mut opened = open(config.clone(), "billing").await;
        publish(config.clone(), 0..1).await;
        let first = take(&mut opened, 1).await;
        publish(config.clone(), 1..2).await;
        // As if the connection had ended before the answer was read.
        server.cli().run(&["XREADGROUP", "GROUP", "billing", "0", "STREAMS", stream, ">"]);
        server.cli().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let second = take(&mut opened, 1).await;
        assert_ne!(second[0].position, first[0].position, "what is in hand does not come again");
        assert!(second[0].redelivered.perhaps());
    }
}

#[tokio::test]
async fn a_closed_opening_leaves_nothing_locked() {
    let server = RedisServer::start(&[]);
    let lock = Duration::from_secs(600);
    let mut opened = open(config(&server).lock(lock), "billing").await;
    publish(config(&server), 0..2).await;
    take(&mut opened, 2).await;
    close(opened).await;
    let pending = server.cli().run(&["XPENDING", "orders", "billing", "-", "+", "10"]);
    let idle: Vec<u128> = pending.chunks(4).map(|entry| entry[2].parse().unwrap()).collect();
    assert!(idle.len() == 2 && idle.iter().all(|idle| *idle >= lock.as_millis()), "{pending:?}");
}

#[tokio::test]
async fn a_group_that_went_away_is_made_anew_and_told() {
    for command in [&["FLUSHALL"][..], &["XGROUP", "DESTROY", "orders", "billing"], &["DEL", "orders"]] {
        let server = RedisServer::start(&[]);
        let log = Log::new(Level::WARN);
        let _guard = tracing::subscriber::set_default(log.clone());
        let mut opened = open(config(&server), "billing").await;
        assert!(timeout(Duration::from_millis(200), opened.source.next(1)).await.is_err(), "it waits at the server");
        server.cli().run(command);
        publish(config(&server), 0..1).await;
        let came = take(&mut opened, 1).await;
        settle(&opened, &came, Verdict::Ack).await;
        assert_eq!(log.beginning("WARN the consumer group was gone").len(), 1, "{:?}", log.lines());
    }
}
