use sqlx::PgPool;

use super::booking::{mediator_on_postgres, next_number};
use super::by_hand::{event_on_postgres, row_on_postgres, transaction_on_postgres};
use super::commits::{Commit, commit, through};
use super::servers::{COUNTS_STATEMENTS, postgres};

const COMMITS: u32 = 200;

/// How many statements, each of which is a round trip, PostgreSQL gets for a commit.
pub(crate) async fn of_one_commit() {
    let (_server, pool, store) = postgres(&COUNTS_STATEMENTS, 4).await;
    // What tells other processes is no part of a commit.
    let store = store.notify(false);
    println!("\n| PostgreSQL | statements for a commit |\n|---|---:|");
    for (name, side) in [
        ("two inserts by hand", commit(event_on_postgres, &pool)),
        ("mediator and outbox", through(mediator_on_postgres(&store))),
        ("one insert by hand", commit(row_on_postgres, &pool)),
        ("`Transaction`", commit(transaction_on_postgres, &store)),
    ] {
        println!("| {name} | {:.2} |", statements(&side, &pool).await);
    }
}

async fn statements(commit: &Commit, pool: &PgPool) -> f64 {
    sqlx::raw_sql("SELECT pg_stat_statements_reset()").execute(pool).await.expect("it counts");
    for _ in 0..COMMITS {
        commit(next_number()).await.expect("it is committed");
    }
    counted(pool).await / f64::from(COMMITS)
}

/// How many statements were executed since they were counted from zero.
pub(crate) async fn counted(pool: &PgPool) -> f64 {
    let count = "SELECT sum(calls)::float8 FROM pg_stat_statements WHERE query !~ 'pg_stat_statements'";
    sqlx::query_scalar::<_, Option<f64>>(count).fetch_one(pool).await.expect("it counts").unwrap_or_default()
}
