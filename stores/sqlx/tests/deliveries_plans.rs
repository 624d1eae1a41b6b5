#![cfg(feature = "postgres")]
//! What endpoints ask of a store with very many deliveries: a part of an index, and never the table.

mod support;

use std::time::{Duration, Instant};

use diator::deliveries::{
    AttemptLog, DeliveryFilter, DeliverySettlement, DeliveryStore, DeliveryVerdict, Ended, NewDelivery,
};
use diator::inbox::{Entry, Seen, Turn};
use diator::outbox::{OutboxStore, RelayId};
use diator_sqlx::SqlxStore;
use diator_testkit::{Postgres, within_patience};
use sqlx::PgPool;
use support::unit::Unit;
use uuid::Uuid;

const ENDPOINT: &str = "billing";
const LONG: Duration = Duration::from_secs(3_600);
/// Of each kind; `DIATOR_ROWS` sets another number.
const ROWS: u32 = 50_000;

/// Rows that wait behind a dead letter of their key, that are dead, and that are due in an hour, each of a key of its own; the inbox and the
/// attempt log are as full, with two thousand old rows each.
fn fill(rows: u32) -> String {
    let columns = "endpoint, handler, message, generation, failures, due, queue, is_first, dead_at, kind, reason, topic, key, headers, body";
    let id = "overlay(gen_random_uuid()::text PLACING '7' FROM 15)::uuid";
    format!(
        "INSERT INTO diator_delivery ({columns})
            SELECT '{ENDPOINT}', 'billing.charge', {id}, 0, 0, now(), 1, n = 1, CASE WHEN n = 1 THEN now() END, 'Handler', 'declined',
            'orders', 'parked', '[]', repeat('x', 200)::bytea FROM generate_series(1, {rows}) AS n;
        INSERT INTO diator_delivery ({columns})
            SELECT '{ENDPOINT}', 'billing.charge', {id}, 0, 0, now(), NULL, true, now(), 'Handler', 'declined',
            'orders', NULL, '[]', repeat('x', 200)::bytea FROM generate_series(1, {rows}) AS n;
        INSERT INTO diator_delivery ({columns})
            SELECT '{ENDPOINT}', 'billing.charge', {id}, 0, 0, now() + interval '1 hour', n + 1, true, NULL, NULL, NULL,
            'orders', n::text, '[]', repeat('x', 200)::bytea FROM generate_series(1, {rows}) AS n;
        INSERT INTO diator_inbox SELECT {id}, '{ENDPOINT}', 'billing.charge', 0, now() + (n - 2000.5) * interval '1 second' FROM generate_series(1, {rows}) AS n;
        INSERT INTO diator_attempt SELECT {id}, '{ENDPOINT}', 1, now() - interval '7 days' + (n - 2000.5) * interval '1 second' FROM generate_series(1, {rows}) AS n;"
    )
}

/// All that endpoints and the cleaner ask, and what it took.
async fn work(postgres: &Postgres) -> Vec<(&'static str, Duration)> {
    let pool = PgPool::connect(&postgres.url()).await.unwrap();
    let store = SqlxStore::new(pool.clone());
    let (deliveries, log) = (store.deliveries(), store.attempt_log());
    let mut times = Vec::new();
    let mut began = Instant::now();
    let mut lap = |what| {
        times.push((what, began.elapsed()));
        began = Instant::now();
    };
    let mut pruned = 0;
    // Often enough for the server to try a plan for all parameters.
    for _ in 0..8 {
        let mut keyed = NewDelivery::new(ENDPOINT, "billing.post", Uuid::now_v7(), "orders", *b"{}");
        (keyed.key, keyed.holds_key) = (Some("new".into()), true);
        let mut plain = keyed.clone();
        (plain.message, plain.key, plain.holds_key) = (Uuid::now_v7(), None, false);
        lap("");
        deliveries.put(&[plain]).await.unwrap();
        lap("put");
        deliveries.put(&[keyed]).await.unwrap();
        lap("put, with a key");
        deliveries.next_due(ENDPOINT).await.unwrap();
        lap("next_due");
        let leased = deliveries.lease(ENDPOINT, 100, LONG).await.unwrap();
        lap("lease of two");
        assert_eq!(leased.len(), 2);
        assert_eq!(deliveries.lease(ENDPOINT, 100, LONG).await.unwrap(), []);
        lap("lease of none");
        let leases: Vec<_> = leased.iter().map(|leased| leased.lease).collect();
        deliveries.extend(&leases, LONG).await.unwrap();
        lap("extend");
        for lease in leases {
            let verdict = DeliveryVerdict::Handled;
            deliveries.settle(&[DeliverySettlement { lease, verdict }]).await.unwrap();
        }
        lap("settle of two, one with a key");
        let turn = Turn { topic: "orders", key: "free" };
        let unit = Unit::begin(&store).await;
        let entry = Entry::new(ENDPOINT, "billing.charge", Uuid::now_v7()).with_turn(turn).with_limit(LONG);
        assert_eq!(unit.enter(&store.inbox(), &entry).await.unwrap(), Seen::First);
        unit.commit().await.unwrap();
        lap("enter in turn, and commit");
        let unit = Unit::begin(&store).await;
        let entry = Entry::new(ENDPOINT, "billing.charge", Uuid::now_v7());
        assert_eq!(unit.enter(&store.inbox(), &entry).await.unwrap(), Seen::First);
        unit.commit().await.unwrap();
        lap("enter, and commit");
        let message = Uuid::now_v7();
        log.begin(ENDPOINT, &[message]).await.unwrap();
        log.end(ENDPOINT, &[(message, Ended::Handled)]).await.unwrap();
        lap("attempt");
        pruned += store.prune(RelayId(Uuid::nil()), LONG, 100).await.unwrap();
        lap("prune of 100");
        let mut filter = DeliveryFilter::dead();
        filter.ids = vec![7, 8];
        assert_eq!(deliveries.list(&filter).await.unwrap(), []);
        lap("list of two ids");
        filter.ids = Vec::new();
        filter.limit = Some(20);
        assert_eq!(deliveries.list(&filter).await.unwrap().len(), 20);
        lap("list of 20 dead letters");
        filter.ids = vec![7, 8];
        deliveries.replay(&filter).await.unwrap();
        deliveries.discard(&filter).await.unwrap();
        lap("replay and discard of none");
    }
    assert_eq!(pruned, 800);
    pool.close().await;
    times
}

#[tokio::test]
async fn a_part_of_an_index_is_read_and_never_the_table() {
    within_patience(async {
        let postgres = Postgres::start(&["autovacuum=off"]);
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        let rows = std::env::var("DIATOR_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
        // The server's picture of the tables is of the time when they were empty, and then of today.
        postgres.psql("ANALYZE");
        postgres.psql(&fill(rows));
        for statistics in ["", "ANALYZE"] {
            postgres.psql(statistics);
            postgres.psql("SELECT pg_stat_reset()");
            let times = work(&postgres).await;
            let read = "SELECT relname, seq_scan, seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables
                WHERE relname IN ('diator_delivery', 'diator_inbox', 'diator_attempt') AND (seq_tup_read > 100 OR idx_tup_fetch > 4000)";
            let part = "SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes
                WHERE relname IN ('diator_delivery', 'diator_inbox', 'diator_attempt') AND idx_tup_read > 4000";
            let found = [read, part].map(|sql| postgres.psql(sql));
            let status = Instant::now();
            let pool = PgPool::connect(&postgres.url()).await.unwrap();
            let counted = SqlxStore::new(pool.clone()).deliveries().status().await.unwrap();
            let status = status.elapsed();
            // The server counts what it has read when the connection ends.
            pool.close().await;
            assert_eq!((counted[0].parked, counted[0].dead), (u64::from(rows) - 1, u64::from(rows) + 1));
            let mut of_calls = std::collections::BTreeMap::<_, Vec<_>>::new();
            for (what, time) in times {
                of_calls.entry(what).or_default().push(time);
            }
            for (what, mut times) in of_calls {
                times.sort();
                println!("{statistics:8} {what:32} {:?}", times[times.len() / 2]);
            }
            println!("{statistics:8} status {status:?}");
            assert_eq!(found, ["", ""], "{statistics}");
        }
    })
    .await;
}
