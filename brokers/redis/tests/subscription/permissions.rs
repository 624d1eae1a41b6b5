//! The rights that the guide names are those that a consumer needs.

use std::time::Duration;

use diator::subscription::Verdict;
use diator_redis::RedisConfig;
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;

use super::world::{LOCK, close, config, open, publish, settle, take, until};

/// What `docs/redis.md` says of the user `billing`.
fn rights() -> Vec<String> {
    let guide = include_str!("../../../../docs/redis.md");
    let (_, rest) = guide.split_once("ACL SETUSER billing ").unwrap();
    let rights = rest.split("```").next().unwrap().replace("\\\n", " ");
    rights.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_user_with_the_rights_of_the_guide_consumes() {
    for partitions in [None, Some(2)] {
        let server = RedisServer::start(&[]);
        let rights = rights();
        let rights: Vec<_> = rights.iter().map(String::as_str).collect();
        server.cli().run(&[&["ACL", "SETUSER", "billing"], &*rights].concat());
        let kind = |config: RedisConfig<_>| partitions.map_or(config.clone(), |count| config.partitions(count));
        let url = format!("redis://billing:secret@127.0.0.1:{}", server.port());
        let limited = || kind(RedisConfig::streams(url.clone()).lock(LOCK).trimmed_by_consumers());
        publish(kind(config(&server)), 0..4).await;
        let mut killed = open(limited(), "billing").await;
        take(&mut killed, 4).await;
        drop(killed);
        let mut opened = open(limited(), "billing").await;
        let came = take(&mut opened, 4).await;
        settle(&opened, &came[..2], Verdict::Ack).await;
        settle(&opened, &came[2..], Verdict::dead_letter("no order")).await;
        opened.settle.observe().await.unwrap();
        opened.settle.extend(&[]).await;
        let reading = tokio::spawn(async move {
            let _ = opened.source.next(1).await;
            opened
        });
        sleep(LOCK * 2 + Duration::from_secs(1)).await;
        until(|| server.cli().run(&["XLEN", "orders.dead"]) == ["2"]).await;
        publish(kind(config(&server)), 4..5).await;
        close(reading.await.unwrap()).await;
        let refused = server.cli().run(&["ACL", "LOG"]);
        assert_eq!(refused, [""; 0]);
    }
}
