//! A server that goes away, and another one in its place.

use std::time::Duration;

use diator_testkit::Proxy;
use diator_testkit::broker::Server;
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;

use super::world::{Does, LOCK, World, until};

#[tokio::test]
async fn a_server_that_was_restarted_goes_on_being_read() {
    let world = World::new(|_, _| Does::Succeeds);
    let billing = world.billing();
    world.order(0..10).await;
    world.until_charged(10).await;
    world.server.kill();
    sleep(LOCK / 2).await;
    world.server.restart();
    world.order(10..20).await;
    world.until_charged(20).await;
    world.until_nothing_is_pending().await;
    billing.end().await;
}

#[tokio::test]
async fn a_failover_under_load_is_followed() {
    let mut world = World::new(|_, _| Does::SucceedsAfter(Duration::from_millis(20)));
    let successor = RedisServer::start(&["appendonly yes"]);
    successor.demote(&world.server);
    let proxy = Proxy::start(world.server.address());
    world.url = format!("redis://{}", proxy.address());
    world.order(0..400).await;
    until(|| successor.cli().run(&["XLEN", "orders"]) == ["400"]).await;
    let processes = [world.billing(), world.billing()];
    world.until_charged(50).await;
    successor.cli().run(&["REPLICAOF", "NO", "ONE"]);
    proxy.redirect(successor.address());
    // Its connections stay open.
    world.server.demote(&successor);
    assert!(world.bank.charged().len() < 400, "it happens under load");
    world.order(400..500).await;
    world.until_charged(500).await;
    until(|| successor.cli().run(&["XPENDING", "orders", "billing"])[0] == "0").await;
    for process in processes {
        process.end().await;
    }
}
