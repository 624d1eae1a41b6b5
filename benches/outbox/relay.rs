use std::time::{Duration, Instant};

use diator::relay::Relay;
use diator_benches::Pair;
use diator_sqlx::SqlxStore;
use redis::aio::MultiplexedConnection;
use redis::{Client, Pipeline, cmd};
use sqlx::{PgPool, Postgres, Row};
use tokio::time::sleep;
use uuid::Uuid;

use super::plan::Plan;
use super::servers::{STREAM, broker, fsync, postgres, redis};

/// How many messages the raw client has in a pipeline: as many as the driver.
const PIPELINE: usize = 1_000;

/// What stands in the outbox when the relay begins.
#[derive(Clone, Copy)]
struct Backlog {
    name: &'static str,
    messages: usize,
    /// As SQL, of the number `i` of a message.
    partition: &'static str,
    key: &'static str,
    /// A transaction that began before the first message was written.
    beside_a_long_transaction: bool,
}

/// Draining backlogs to Redis Streams, beside a raw client that adds the same messages.
pub(crate) async fn backlogs(plan: &Plan) {
    let spread = Backlog {
        name: "a key each",
        messages: plan.backlog,
        partition: "i % 64",
        key: "i::text",
        beside_a_long_transaction: false,
    };
    let backlogs = [
        spread,
        Backlog { name: "1,000 keys", key: "(i % 1000)::text", partition: "i % 1000 % 64", ..spread },
        Backlog {
            name: "one partition, a long transaction open",
            messages: plan.in_one_partition,
            partition: "7",
            beside_a_long_transaction: true,
            ..spread
        },
    ];
    let (_redis, url) = redis();
    let raw = Client::open(&*url).expect("it is a URL").get_multiplexed_async_connection().await.expect("it is there");
    println!(
        "\n| relay, PostgreSQL to Redis Streams | messages | raw `XADD`, messages/s | relay, messages/s | µs for each | ratio | middle half |\n|---|---:|---:|---:|---:|---:|---:|"
    );
    for on in [true, false] {
        let (_server, pool, store) = postgres(&[fsync(on), "max_wal_size=4GB"], 8).await;
        for backlog in backlogs {
            let mut pair = Pair::default();
            for _ in 0..plan.drains {
                let long = pool.begin().await.expect("it is there");
                let long = if backlog.beside_a_long_transaction { Some(held_open(long).await) } else { None };
                fill(&pool, backlog).await;
                let messages = read(&pool).await;
                // The raw client is much faster: what else the machine does meets it before and after.
                let before = add(&raw, &messages).await;
                let ours = drain(&store, &url, &raw, messages.len()).await;
                let base = (before + add(&raw, &messages).await) / 2;
                pair.turn(messages.len(), base, ours);
                drop(long);
            }
            let (figures, (low, high)) = (pair.figures(), pair.middle_half());
            println!(
                "| {}, {} | {} | {:.0} | {:.0} | {:.1} | {:.2} | {low:.2}–{high:.2} |",
                backlog.name,
                fsync(on),
                backlog.messages,
                figures.base,
                figures.ours,
                1e6 / figures.ours,
                figures.ratio
            );
        }
    }
}

/// With a number of its own, so that nothing that ends after it can be cleaned up.
async fn held_open(mut transaction: sqlx::Transaction<'static, Postgres>) -> sqlx::Transaction<'static, Postgres> {
    let begin = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()";
    sqlx::raw_sql(begin).execute(&mut *transaction).await.expect("it is there");
    transaction
}

async fn fill(pool: &PgPool, Backlog { messages, partition, key, .. }: Backlog) {
    sqlx::raw_sql("TRUNCATE diator_outbox").execute(pool).await.expect("it is there");
    let insert = format!(
        "INSERT INTO diator_outbox (partition, id, message_type, name, key, correlation_id, causation_id, content_type, headers, body)
        SELECT {partition}, id, 'notification_event', 'Booked', {key}, gen_random_uuid(), gen_random_uuid(), 'application/json', '{{}}',
            convert_to(json_build_object('message_type', 'notification_event', 'message_name', 'Booked', 'message_id', id, 'payload',
            json_build_object('event_id', id, 'event_timestamp', '2026-11-22T22:31:53.997858', 'booking', i, 'guest', 'Ada Lovelace',
            'nights', 3))::text, 'UTF8')
        FROM (SELECT i, gen_random_uuid() AS id FROM generate_series(1, {messages}) AS i) AS numbers"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(pool).await.expect("it is there");
    sqlx::raw_sql("VACUUM ANALYZE diator_outbox").execute(pool).await.expect("it is there");
    sqlx::raw_sql("CHECKPOINT").execute(pool).await.expect("it is there");
}

struct Message {
    id: Uuid,
    key: String,
    correlation: Uuid,
    causation: Uuid,
    body: Vec<u8>,
}

async fn read(pool: &PgPool) -> Vec<Message> {
    let query = sqlx::query("SELECT id, key, correlation_id, causation_id, body FROM diator_outbox ORDER BY seq");
    let rows = query.fetch_all(pool).await.expect("it is there");
    let message = |row: &sqlx::postgres::PgRow| Message {
        id: row.get(0),
        key: row.get(1),
        correlation: row.get(2),
        causation: row.get(3),
        body: row.get(4),
    };
    rows.iter().map(message).collect()
}

/// As the driver writes them.
async fn add(raw: &MultiplexedConnection, messages: &[Message]) -> Duration {
    let mut raw = forget(raw).await;
    let begun = Instant::now();
    for messages in messages.chunks(PIPELINE) {
        let mut pipeline = Pipeline::with_capacity(messages.len());
        for Message { id, key, correlation, causation, body } in messages {
            let mut command = cmd("XADD");
            command.arg(STREAM).arg("*").arg("id").arg(id.to_string()).arg("type").arg("notification_event");
            command.arg("name").arg("Booked").arg("content_type").arg("application/json");
            command.arg("correlation_id").arg(correlation.to_string()).arg("causation_id").arg(causation.to_string());
            command.arg("key").arg(&**key).arg("body").arg(&**body);
            pipeline.add_command(command);
        }
        let answers: Vec<String> = pipeline.query_async(&mut raw).await.expect("they are taken");
        assert_eq!(answers.len(), messages.len());
    }
    begun.elapsed()
}

/// Until everything is delivered, and noted as sent.
async fn drain(store: &SqlxStore<Postgres>, url: &str, raw: &MultiplexedConnection, messages: usize) -> Duration {
    let mut raw = forget(raw).await;
    let relay = Relay::new(store.clone()).broker(broker(url));
    let begun = Instant::now();
    let delivered = async {
        while length(&mut raw).await < messages {
            sleep(Duration::from_millis(5)).await;
        }
    };
    relay.run_until(delivered).await.expect("it can run");
    let elapsed = begun.elapsed();
    assert_eq!(length(&mut raw).await, messages, "none is delivered twice");
    elapsed
}

async fn length(raw: &mut MultiplexedConnection) -> usize {
    cmd("XLEN").arg(STREAM).query_async(raw).await.expect("it is there")
}

async fn forget(raw: &MultiplexedConnection) -> MultiplexedConnection {
    let mut raw = raw.clone();
    cmd("DEL").arg(STREAM).query_async::<u64>(&mut raw).await.expect("it is there");
    raw
}
