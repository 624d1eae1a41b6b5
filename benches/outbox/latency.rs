use std::collections::HashMap;
use std::time::{Duration, Instant};

use diator::relay::Relay;
use diator_sqlx::SqlxStore;
use redis::streams::StreamReadReply;
use redis::{Client, cmd};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::booking::{Book, Booked, mediator_on_postgres, next_number};
use super::plan::Plan;
use super::servers::{STREAM, broker, fsync, postgres, redis};

const EVENTS_PER_SECOND: u32 = 500;

/// From the end of `send`, which is after the commit, until a consumer of the stream has the event.
pub(crate) async fn to_a_consumer(plan: &Plan) {
    println!(
        "\n| commit to delivered, 500 events/s | events | p50, ms | p99, ms | longest, ms |\n|---|---:|---:|---:|---:|"
    );
    for on in [true, false] {
        let (_server, pool, store) = postgres(&[fsync(on)], 20).await;
        // Another store is another process, for all that it knows: it hears of commits by NOTIFY.
        let other = SqlxStore::new(pool.clone());
        for (name, relayed) in [("in the process", &store), ("of another process", &other)] {
            let mut times = watch(&store, relayed, plan).await;
            times.sort_unstable();
            let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
            println!(
                "| relay {name}, {} | {} | {:.1} | {:.1} | {:.1} |",
                fsync(on),
                times.len(),
                at(0.5),
                at(0.99),
                at(1.0)
            );
        }
    }
}

async fn watch(store: &SqlxStore<sqlx::Postgres>, relayed: &SqlxStore<sqlx::Postgres>, plan: &Plan) -> Vec<Duration> {
    let (_redis, url) = redis();
    let relay = tokio::spawn(Relay::new(relayed.clone()).broker(broker(&url)).run_until(std::future::pending::<()>()));
    let mediator = mediator_on_postgres(store);
    let events = usize::try_from(plan.watch.as_secs()).expect("it is short") * EVENTS_PER_SECOND as usize;
    // The first have to connect.
    let warm = EVENTS_PER_SECOND as usize / 2;
    let consumer = tokio::spawn(consume(url, events + warm));
    let mut ticks = interval(Duration::from_secs(1) / EVENTS_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sending = JoinSet::new();
    for _ in 0..events + warm {
        ticks.tick().await;
        let (mediator, id) = (mediator.clone(), next_number());
        sending.spawn(async move {
            mediator.send(Book(id)).await.expect("it is committed");
            (id, Instant::now())
        });
    }
    let mut committed = sending.join_all().await;
    let delivered = consumer.await.expect("it reads all");
    relay.abort();
    committed.sort_unstable();
    // It can be delivered before whoever has sent it is told of the commit.
    committed.iter().skip(warm).map(|(id, at)| delivered[id].saturating_duration_since(*at)).collect()
}

/// When each booking has come.
async fn consume(url: String, events: usize) -> HashMap<i64, Instant> {
    let client = Client::open(url).expect("it is a URL");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.expect("it is there");
    let (mut delivered, mut last) = (HashMap::new(), "0".to_owned());
    while delivered.len() < events {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(1_000).arg("BLOCK").arg(60_000).arg("STREAMS").arg(STREAM).arg(&last);
        let reply: StreamReadReply = read.query_async(&mut connection).await.expect("it is there");
        let now = Instant::now();
        assert!(!reply.keys.is_empty(), "nothing has come for a minute");
        for entry in reply.keys.into_iter().flat_map(|stream| stream.ids) {
            let body: Vec<u8> = entry.get("body").expect("it has one");
            let event: Booked = serde_json::from_slice(&body).expect("it is a booking");
            delivered.entry(event.booking).or_insert(now);
            last = entry.id;
        }
    }
    delivered
}
