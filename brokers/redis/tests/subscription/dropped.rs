//! Entries that a stream drops: read or not.

use diator::subscription::Verdict;
use diator_tests::Log;
use diator_tests::redis_server::RedisServer;
use tracing::Level;

use super::world::{close, config, open, publish, settle, take, until};

#[tokio::test]
async fn entries_that_were_dropped_unread_are_told_once() {
    let server = RedisServer::start(&[]);
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 0..3).await;
    let came = take(&mut opened, 3).await;
    settle(&opened, &came, Verdict::Ack).await;
    close(opened).await;
    publish(config(&server), 3..10).await;
    server.cli().run(&["XTRIM", "orders", "MAXLEN", "2"]);
    let told = || log.beginning("WARN the stream dropped entries that the endpoint had not read");
    let mut opened = open(config(&server), "billing").await;
    let came = take(&mut opened, 2).await;
    assert!(told().len() == 1 && told()[0].contains("missed=5"), "{:?}", log.lines());
    settle(&opened, &came, Verdict::Ack).await;
    close(opened).await;
    let mut opened = open(config(&server), "billing").await;
    publish(config(&server), 10..11).await;
    take(&mut opened, 1).await;
    assert_eq!(told().len(), 1, "{:?}", log.lines());
}

#[tokio::test]
async fn what_all_groups_have_acknowledged_is_trimmed() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).trimmed_by_consumers();
    let (mut billing, mut shipping) = (open(config(), "billing").await, open(config(), "shipping").await);
    publish(config(), 0..10).await;
    let length = || server.cli().run(&["XLEN", "orders"])[0].parse::<usize>().unwrap();
    let all = take(&mut billing, 10).await;
    settle(&billing, &all, Verdict::Ack).await;
    let some = take(&mut shipping, 10).await;
    settle(&shipping, &some[..4], Verdict::Ack).await;
    // The reader trims when it looks for what others have left, which needs room.
    let reading = tokio::spawn(async move { billing.source.next(1).await.map(drop) });
    until(|| length() == 6).await;
    settle(&shipping, &some[4..], Verdict::Ack).await;
    until(|| length() == 0).await;
    reading.abort();
}

#[tokio::test]
async fn entries_that_were_dropped_before_the_first_was_read_are_told() {
    let server = RedisServer::start(&[]);
    let log = Log::new(Level::WARN);
    let _guard = tracing::subscriber::set_default(log.clone());
    publish(config(&server), 0..3).await;
    // What was dropped before the endpoint was there, it does not miss.
    server.cli().run(&["XTRIM", "orders", "MAXLEN", "0"]);
    let opened = open(config(&server), "billing").await;
    until(|| server.cli().run(&["EXISTS", "diator:counts:billing"]) == ["1"]).await;
    close(opened).await;
    publish(config(&server), 3..10).await;
    server.cli().run(&["XTRIM", "orders", "MAXLEN", "2"]);
    let mut opened = open(config(&server), "billing").await;
    take(&mut opened, 2).await;
    let told = log.beginning("WARN the stream dropped entries that the endpoint had not read");
    assert!(told.len() == 1 && told[0].contains("missed=5"), "{:?}", log.lines());
}

/// The largest number of an id is more than Lua counts.
#[tokio::test]
async fn an_entry_with_the_largest_number_is_not_dropped_unread() {
    let server = RedisServer::start(&[]);
    let config = || config(&server).trimmed_by_consumers();
    for id in ["5-1", "5-18446744073709551500", "5-18446744073709551520"] {
        server.cli().run(&["XADD", "orders", id, "body", "{}"]);
    }
    let mut opened = open(config(), "billing").await;
    let came = take(&mut opened, 2).await;
    settle(&opened, &came, Verdict::Ack).await;
    server.cli().run(&["XGROUP", "CREATE", "orders", "audit", "5-18446744073709551500"]);
    take(&mut opened, 1).await;
    let reading = tokio::spawn(async move { opened.source.next(1).await.map(drop) });
    until(|| server.cli().run(&["XLEN", "orders"]) != ["3"]).await;
    assert_eq!(server.cli().run(&["XRANGE", "orders", "5-18446744073709551520", "+"]).len(), 3);
    reading.abort();
}
