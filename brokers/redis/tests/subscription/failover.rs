//! A server that becomes a replica, the one that takes its place, and one that is restarted.

use std::time::Duration;

use diator::subscription::Verdict;
use diator_testkit::broker::Server;
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use tokio::time::timeout;
use tracing::Level;

use super::world::{close, config, open, publish, settle, take, until, values_of};

#[tokio::test]
async fn a_demoted_server_is_told_once_and_its_successor_goes_on() {
    let (server, successor) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut opened = open(config(&server).lock(Duration::from_secs(60)), "billing").await;
    assert!(timeout(Duration::from_millis(200), opened.source.next(1)).await.is_err(), "nothing is there");
    server.demote(&successor);
    let waiting = timeout(Duration::from_secs(3), opened.source.next(1)).await;
    assert!(waiting.is_err(), "it waits for the server to be a primary again, {waiting:?}");
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    server.cli().run(&["REPLICAOF", "NO", "ONE"]);
    publish(config(&server), 0..1).await;
    take(&mut opened, 1).await;
}

/// A replica does not know how many entries a group has read.
#[tokio::test]
async fn after_a_failover_nothing_is_missed_that_was_read() {
    let (server, successor) = (RedisServer::start(&[]), RedisServer::start(&[]));
    successor.demote(&server);
    publish(config(&server), 0..1).await;
    until(|| successor.cli().run(&["XLEN", "orders"]) == ["1"]).await;
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 1..20).await;
    let came = take(&mut opened, 20).await;
    settle(&opened, &came, Verdict::Ack).await;
    close(opened).await;
    let stands = |at: &RedisServer| {
        let group = at.cli().run(&["XINFO", "GROUPS", "orders"]);
        (values_of(&group, "last-delivered-id"), values_of(&group, "pending"))
    };
    until(|| stands(&successor) == stands(&server)).await;
    successor.cli().run(&["REPLICAOF", "NO", "ONE"]);
    let mut opened = open(config(&successor), "billing").await;
    publish(config(&successor), 20..21).await;
    let came = take(&mut opened, 1).await;
    settle(&opened, &came, Verdict::Ack).await;
    assert_eq!(log.lines(), [""; 0]);
    // From here on the successor counts.
    close(opened).await;
    publish(config(&successor), 21..24).await;
    successor.cli().run(&["XTRIM", "orders", "MAXLEN", "1"]);
    let mut opened = open(config(&successor), "billing").await;
    take(&mut opened, 1).await;
    assert!(log.lines().len() == 1 && log.lines()[0].contains("missed=2"), "{:?}", log.lines());
}

#[tokio::test]
async fn after_a_restart_nothing_is_told_as_lost_that_was_read() {
    for (kept, may_have_dropped) in [("6", None), ("1", Some("at_most=3"))] {
        let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
        let log = Log::new(Level::WARN);
        let _guard = tracing::subscriber::set_default(log.clone());
        let mut opened = open(config(&server), "billing").await;
        publish(config(&server), 0..3).await;
        let came = take(&mut opened, 3).await;
        settle(&opened, &came, Verdict::Ack).await;
        // The server's file has the count of what was read when it is written anew. Of what is read later it has the ids alone.
        server.cli().run(&["BGREWRITEAOF"]);
        until(|| server.cli().run(&["INFO", "persistence"]).concat().contains("aof_rewrite_in_progress:0")).await;
        publish(config(&server), 3..6).await;
        let came = take(&mut opened, 3).await;
        settle(&opened, &came, Verdict::Ack).await;
        close(opened).await;
        server.cli().run(&["XTRIM", "orders", "MAXLEN", kept]);
        server.kill();
        server.restart();
        for _ in 0..2 {
            let mut opened = open(config(&server), "billing").await;
            tokio::select! {
                more = opened.source.next(1) => panic!("nothing is left to read: {more:?}"),
                // It has looked at all that there is.
                () = until(|| server.cli().run(&["CLIENT", "LIST"]).concat().contains("cmd=xreadgroup")) => {}
            }
            close(opened).await;
        }
        // What was dropped before is told as what may be lost, once.
        let told = log.beginning("WARN the stream may have dropped entries");
        assert_eq!(told.len(), usize::from(may_have_dropped.is_some()), "{:?}", log.lines());
        assert!(may_have_dropped.is_none_or(|text| told[0].contains(text)), "{told:?}");
        assert!(log.beginning("WARN the stream dropped entries").is_empty(), "{:?}", log.lines());

        // What is dropped after that is told exactly.
        publish(config(&server), 6..9).await;
        server.cli().run(&["XTRIM", "orders", "MAXLEN", "1"]);
        let mut opened = open(config(&server), "billing").await;
        take(&mut opened, 1).await;
        let told = log.beginning("WARN the stream dropped entries");
        assert!(told.len() == 1 && told[0].contains("missed=2"), "{:?}", log.lines());
    }
}
