//! What consuming from Redis costs: endpoints on streams beside a bare loop, in throughput and in the time from publishing to handling,
//! and what an endpoint costs that has nothing to do.
//!
//! Run it with `cargo bench -p diator-benches --bench streams`; it starts servers of its own, and prints the tables of
//! `docs/benchmarks.md`. With `-- --quick` it takes a minute. With one or more of `throughput`, `partitions`, `latency` and `idle` it
//! prints these tables alone.
//!
//! Both sides of a ratio take turns in one run, and so does who comes first.

mod streams {
    pub(crate) mod bookings;
    pub(crate) mod by_hand;
    pub(crate) mod idle;
    pub(crate) mod latency;
    pub(crate) mod plan;
    pub(crate) mod server;
    pub(crate) mod throughput;
}

use diator_benches::machine::load;
use streams::plan::Plan;
use streams::{idle, latency, throughput};

#[tokio::main(worker_threads = 2)]
async fn main() {
    let plan = Plan::of_this_process();
    println!("The load was {} before.", load());
    if plan.wants("throughput") {
        throughput::in_any_order(&plan).await;
    }
    if plan.wants("partitions") {
        throughput::in_order_per_key(&plan).await;
    }
    if plan.wants("latency") {
        latency::to_the_handler(&plan).await;
    }
    if plan.wants("idle") {
        idle::endpoint(&plan).await;
    }
    println!("\nThe load was {} after.", load());
}
