//! A server that is out of memory.

use diator::subscription::Verdict;
use diator_redis::{RedisConfig, Streams};
use diator_tests::redis_server::RedisServer;
use tokio::time::sleep;

use super::world::{LOCK, close, config, open, publish, settle, take};

/// Consumers are what makes room: they keep their names and partitions, and a new one begins.
#[tokio::test]
async fn it_is_drained() {
    let kinds: [fn(RedisConfig<Streams>) -> RedisConfig<Streams>; 2] = [|config| config, |config| config.partitions(2)];
    for kind in kinds {
        let server = RedisServer::start(&[]);
        let config = || kind(config(&server)).trimmed_by_consumers();
        publish(config(), 0..20).await;
        let mut opened = open(config(), "billing").await;
        let came = take(&mut opened, 5).await;
        server.cli().run(&["CONFIG", "SET", "maxmemory", "1"]);
        settle(&opened, &came, Verdict::Ack).await;
        sleep(LOCK * 2).await;
        let came = take(&mut opened, 5).await;
        settle(&opened, &came, Verdict::Ack).await;
        close(opened).await;
        let mut opened = open(config(), "billing").await;
        let came = take(&mut opened, 10).await;
        settle(&opened, &came, Verdict::Ack).await;
        close(opened).await;
    }
}
