//! What entering an inbox costs: by what the entry says, and by how many rows the table has.

use std::time::{Duration, Instant};

use diator::container::Outcome;
use diator::inbox::{Entry, Inbox, Seen, Turn};
use diator::{Container, MessageKind, Meta};
use diator_benches::{Pair, median};
use diator_sqlx::{Engine, EntersRows, SqlxInbox, SqlxStore, Transaction};
use uuid::Uuid;

use super::plan::Plan;
use super::servers::{postgres, sqlite};

/// What an entry says beside what it is known by.
#[derive(Clone, Copy)]
enum Says {
    Nothing,
    Limit,
    Turn,
    Both,
}

const ALL: [(&str, Says); 4] = [
    ("nothing more", Says::Nothing),
    ("a limit", Says::Limit),
    ("a turn", Says::Turn),
    ("a limit and a turn, as endpoints per key", Says::Both),
];

struct Entering<DB: Engine> {
    store: SqlxStore<DB>,
    inbox: SqlxInbox<DB, Transaction<DB>>,
}

impl<DB: Engine> Entering<DB>
where
    Transaction<DB>: EntersRows,
{
    fn new(store: SqlxStore<DB>) -> Self {
        let inbox = store.inbox();
        Self { store, inbox }
    }

    /// The median of a unit of work that enters and commits, in microseconds.
    async fn micros(&self, says: Says, period: Duration) -> f64 {
        let (services, begun, mut times) = (self.store.services(), Instant::now(), Vec::new());
        while begun.elapsed() < period {
            let mut entry = Entry::new("bookings", "bookings.note", Uuid::now_v7());
            if let Says::Limit | Says::Both = says {
                entry = entry.with_limit(Duration::from_secs(300));
            }
            if let Says::Turn | Says::Both = says {
                entry = entry.with_turn(Turn { topic: "bookings", key: "7" });
            }
            let (meta, begun) = (Meta::new(), Instant::now());
            let scope = services.open(&meta, MessageKind::NotificationEvent).get().await.expect("it opens");
            let seen = self.inbox.enter(&*scope, &meta, &entry).await.expect("the database is there");
            assert_eq!(seen, Seen::First);
            scope.close(Outcome::Success).get().await.expect("it commits");
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        median(times)
    }
}

pub(crate) async fn by_rows(plan: &Plan) {
    println!("\n| fsync=off | rows | entry says | empty table, µs | this table, µs | ratio | middle half |");
    println!("|---|---:|---|---:|---:|---:|---:|");
    if !plan.fsyncs("postgres").is_empty() {
        let (_server, pool, empty) = postgres(&["fsync=off"], 4).await;
        let full = empty.clone().prefix("full_").expect("it is one");
        full.apply_schema().await.expect("it is empty");
        // Ids of version 7, a millisecond after each other, as of the days before.
        let fill = format!(
            "INSERT INTO full_inbox SELECT (
                lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - {0} + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)
            )::uuid, 'bookings', 'bookings.note', 0, now() + interval '7 days' FROM generate_series(1, {0}) AS n",
            plan.inbox_rows
        );
        for statement in [&*fill, "VACUUM ANALYZE full_inbox", "CHECKPOINT"] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("there is room");
        }
        compare("PostgreSQL", plan, &Entering::new(empty), &Entering::new(full)).await;
    }
    if !plan.fsyncs("sqlite").is_empty() {
        let ((_one, _, empty), (_other, pool, full)) = (sqlite(false).await, sqlite(false).await);
        let fill = format!(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {0})
            INSERT INTO diator_inbox SELECT substr(time, 1, 8) || '-' || substr(time, 9) || '-7' || substr(odd, 1, 3) || '-8' || substr(odd, 4, 3) || '-' || substr(odd, 7, 12),
                'bookings', 'bookings.note', 0, {1} + 604800000
            FROM (SELECT printf('%012x', {1} - {0} + n) AS time, hex(randomblob(9)) AS odd FROM number)",
            plan.inbox_rows, "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        );
        for statement in [&*fill, "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("there is room");
        }
        compare("SQLite", plan, &Entering::new(empty), &Entering::new(full)).await;
    }
}

async fn compare<DB: Engine>(name: &str, plan: &Plan, empty: &Entering<DB>, full: &Entering<DB>)
where
    Transaction<DB>: EntersRows,
{
    let mut pairs = ALL.map(|_| Pair::default());
    for turn in 0..plan.turns {
        for place in 0..ALL.len() {
            let number = (turn + place) % ALL.len();
            let mut micros = [0.0; 2];
            for side in 0..2 {
                let side = (turn + side) % 2;
                micros[side] = [empty, full][side].micros(ALL[number].1, plan.turn).await;
            }
            // Times in the place of rates: a ratio above 1 is slower.
            pairs[number].rates(micros[0], micros[1]);
        }
    }
    for ((says, _), pair) in ALL.iter().zip(&pairs) {
        let (figures, (low, high)) = (pair.figures(), pair.middle_half());
        println!(
            "| {name} | {} | {says} | {:.0} | {:.0} | {:.2} | {low:.2}–{high:.2} |",
            plan.inbox_rows, figures.base, figures.ours, figures.ratio
        );
    }
}
