use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diator::{BoxError, Handling, Mediator};
use diator_benches::Pair;
use tokio::task::JoinSet;

use super::booking::{
    Book, BookInFile, handling_on_postgres, handling_on_sqlite, mediator_on_postgres, mediator_on_sqlite,
    message_of_booking, next_number,
};
use super::by_hand::{
    event_on_postgres, event_on_sqlite, row_on_postgres, row_on_sqlite, transaction_on_postgres, transaction_on_sqlite,
};
use super::plan::Plan;
use super::servers::{fsync, postgres, sqlite};

/// Commits one booking; both sides pay for the box.
pub(crate) type Commit = Box<dyn Fn(i64) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync>;

const TASKS: [usize; 3] = [1, 8, 32];
/// One for each task, and some for what the store does beside.
const CONNECTIONS: u32 = 36;
const CLEAR: &str = "DELETE FROM booking; DELETE FROM diator_outbox";

/// A command with one row and one event, beside two inserts in one transaction.
pub(crate) async fn with_an_event(plan: &Plan) {
    head("a row and an event", "mediator, outbox");
    for (disk, settings) in disks(plan) {
        let (_server, pool, store) = postgres(&settings, CONNECTIONS).await;
        let sides = [commit(event_on_postgres, &pool), through(mediator_on_postgres(&store))].map(Arc::new);
        for tasks in TASKS {
            sqlx::raw_sql("TRUNCATE booking, diator_outbox").execute(&pool).await.expect("they are there");
            compare(&format!("PostgreSQL, {disk}"), tasks, &sides, plan).await;
        }
    }
    for &on in plan.fsyncs("sqlite") {
        let (_directory, pool, store) = sqlite(on).await;
        let sides = [commit(event_on_sqlite, &pool), through_in_file(mediator_on_sqlite(&store))].map(Arc::new);
        for tasks in TASKS {
            sqlx::raw_sql(CLEAR).execute(&pool).await.expect("they are there");
            compare(&format!("SQLite, {}", fsync(on)), tasks, &sides, plan).await;
        }
    }
}

/// `Transaction` without a mediator, beside one insert in a transaction.
pub(crate) async fn transaction_alone(plan: &Plan) {
    head("a row alone", "`Transaction`");
    for (disk, settings) in disks(plan) {
        let (_server, pool, store) = postgres(&settings, CONNECTIONS).await;
        let sides = [commit(row_on_postgres, &pool), commit(transaction_on_postgres, &store)].map(Arc::new);
        for tasks in TASKS {
            compare(&format!("PostgreSQL, {disk}"), tasks, &sides, plan).await;
        }
    }
    for &on in plan.fsyncs("sqlite") {
        let (_directory, pool, store) = sqlite(on).await;
        let sides = [commit(row_on_sqlite, &pool), commit(transaction_on_sqlite, &store)].map(Arc::new);
        for tasks in TASKS {
            compare(&format!("SQLite, {}", fsync(on)), tasks, &sides, plan).await;
        }
    }
}

/// A handler of a message with one row and an inbox, beside one insert in a transaction.
pub(crate) async fn with_an_inbox(plan: &Plan) {
    head("a row, of a message that arrives", "mediator, inbox");
    for (disk, settings) in disks(plan) {
        let (_server, pool, store) = postgres(&settings, CONNECTIONS).await;
        let sides = [commit(row_on_postgres, &pool), arriving(handling_on_postgres(&store))].map(Arc::new);
        for tasks in TASKS {
            sqlx::raw_sql("TRUNCATE booking, diator_inbox").execute(&pool).await.expect("they are there");
            compare(&format!("PostgreSQL, {disk}"), tasks, &sides, plan).await;
        }
    }
    for &on in plan.fsyncs("sqlite") {
        let (_directory, pool, store) = sqlite(on).await;
        let sides = [commit(row_on_sqlite, &pool), arriving(handling_on_sqlite(&store))].map(Arc::new);
        for tasks in TASKS {
            sqlx::raw_sql("DELETE FROM booking; DELETE FROM diator_inbox")
                .execute(&pool)
                .await
                .expect("they are there");
            compare(&format!("SQLite, {}", fsync(on)), tasks, &sides, plan).await;
        }
    }
}

/// How PostgreSQL reaches the disk: as it is here, as where a write of the log takes half a millisecond more, and not at all.
fn disks(plan: &Plan) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut disks = Vec::new();
    for &on in plan.fsyncs("postgres") {
        disks.push((fsync(on), vec![fsync(on)]));
        if on {
            disks.push(("fsync=on, 0.5 ms more", vec![fsync(on), "commit_delay=500", "commit_siblings=0"]));
        }
    }
    disks
}

fn head(what: &str, ours: &str) {
    println!(
        "\n| {what} | tasks | by hand, commits/s | {ours}, commits/s | ratio | middle half |\n|---|---:|---:|---:|---:|---:|"
    );
}

pub(crate) fn commit<P, F>(book: fn(i64, P) -> F, pool: &P) -> Commit
where
    P: Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let pool = pool.clone();
    Box::new(move |id| Box::pin(book(id, pool.clone())))
}

pub(crate) fn through(mediator: Mediator) -> Commit {
    Box::new(move |id| {
        let mediator = mediator.clone();
        Box::pin(async move { Ok(mediator.send(Book(id)).await?) })
    })
}

fn through_in_file(mediator: Mediator) -> Commit {
    Box::new(move |id| {
        let mediator = mediator.clone();
        Box::pin(async move { Ok(mediator.send(BookInFile(id)).await?) })
    })
}

fn arriving(mediator: Mediator) -> Commit {
    Box::new(move |id| {
        let arrival = mediator.arrive(message_of_booking(id));
        Box::pin(async move {
            let arrival = arrival?;
            loop {
                match arrival.handle_once(&arrival.handlers()[0], "bookings", 0).await? {
                    Handling::Busy | Handling::Behind => {}
                    _ => return Ok(()),
                }
            }
        })
    })
}

async fn compare(name: &str, tasks: usize, sides: &[Arc<Commit>; 2], plan: &Plan) {
    // SQLite's busy handler sleeps for up to 100 ms: a turn must be longer than a few of these.
    let (turns, period) = if name.starts_with("SQLite") && tasks > 1 {
        (plan.turns.div_ceil(2), plan.turn * 4)
    } else {
        (plan.turns, plan.turn)
    };
    for side in sides {
        turn(side, tasks, plan.turn).await;
    }
    let mut pair = Pair::default();
    for number in 0..turns {
        let mut rates = [0.0; 2];
        for place in 0..2 {
            let side = (number + place) % 2;
            rates[side] = turn(&sides[side], tasks, period).await;
        }
        pair.rates(rates[0], rates[1]);
    }
    let figures = pair.figures();
    let (low, high) = pair.middle_half();
    println!(
        "| {name} | {tasks} | {:.0} | {:.0} | {:.2} | {low:.2}–{high:.2} |",
        figures.base, figures.ours, figures.ratio
    );
}

/// How many bookings are committed in a second.
async fn turn(commit: &Arc<Commit>, tasks: usize, period: Duration) -> f64 {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let commit = commit.clone();
        running.spawn(async move {
            let mut count = 0.0;
            while begun.elapsed() < period {
                commit(next_number()).await.expect("it is committed");
                count += 1.0;
            }
            count
        });
    }
    let count: f64 = running.join_all().await.into_iter().sum();
    count / begun.elapsed().as_secs_f64()
}
