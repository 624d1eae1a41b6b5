//! What a transactional outbox costs: commands with one event, and handlers with an inbox, beside hand-written sqlx, and the relay
//! beside a raw client of Redis.
//!
//! Run it with `cargo bench -p diator-benches --bench outbox`; it starts servers of its own, and prints the tables of
//! `docs/benchmarks.md`. With `-- --quick` it takes a minute. With one or more of `commits`, `inbox`, `entering`, `transaction`, `statements`,
//! `relay`, `latency`, `chain` and `idle` it prints these tables alone; `postgres` or `sqlite` limits the first four to that database.
//!
//! Both sides of a ratio take short turns in one run, and so does who comes first.

mod outbox {
    pub(crate) mod booking;
    pub(crate) mod by_hand;
    pub(crate) mod chain;
    pub(crate) mod commits;
    pub(crate) mod entering;
    pub(crate) mod idle;
    pub(crate) mod latency;
    pub(crate) mod machine;
    pub(crate) mod plan;
    pub(crate) mod relay;
    pub(crate) mod servers;
    pub(crate) mod statements;
}

use diator_benches::machine::load;
use outbox::machine::fsyncs_per_second;
use outbox::plan::Plan;
use outbox::{chain, commits, entering, idle, latency, relay, statements};

#[tokio::main(worker_threads = 2)]
async fn main() {
    let plan = Plan::of_this_process();
    println!("The load was {} before; the disk does {:.0} fsyncs/s.", load(), fsyncs_per_second(&plan));
    if plan.wants("commits") {
        commits::with_an_event(&plan).await;
    }
    if plan.wants("inbox") {
        commits::with_an_inbox(&plan).await;
    }
    if plan.wants("entering") {
        entering::by_rows(&plan).await;
    }
    if plan.wants("transaction") {
        commits::transaction_alone(&plan).await;
    }
    if plan.wants("statements") {
        statements::of_one_commit().await;
    }
    if plan.wants("relay") {
        relay::backlogs(&plan).await;
    }
    if plan.wants("latency") {
        latency::to_a_consumer(&plan).await;
    }
    if plan.wants("chain") {
        chain::from_command_to_effect(&plan).await;
    }
    if plan.wants("idle") {
        idle::relay(&plan).await;
    }
    println!("\nThe load was {} after; the disk does {:.0} fsyncs/s.", load(), fsyncs_per_second(&plan));
}
