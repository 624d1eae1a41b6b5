//! What an endpoint costs: beside a hand-written loop over the same source, over the engine in memory, with a slow key, and with
//! nothing to do.
//!
//! Run it with `cargo bench -p diator-benches --bench endpoint`; it needs no server, and prints the tables of
//! `docs/benchmarks.md`. With `-- --quick` it takes a minute. With one or more of `throughput`, `memory`, `slow-key` and `idle`
//! it prints these tables alone. With `--features allocations` it counts allocations in the place of times.
//!
//! Both sides of a ratio take turns in one run, and so does who comes first.

mod endpoint {
    #[cfg(feature = "allocations")]
    pub(crate) mod allocations;
    pub(crate) mod booked;
    pub(crate) mod by_hand;
    #[cfg(not(feature = "allocations"))]
    pub(crate) mod idle;
    #[cfg(not(feature = "allocations"))]
    pub(crate) mod in_memory;
    #[cfg(not(feature = "allocations"))]
    pub(crate) mod plan;
    #[cfg(not(feature = "allocations"))]
    pub(crate) mod slow_key;
    pub(crate) mod stock;
    #[cfg(not(feature = "allocations"))]
    pub(crate) mod throughput;
}

#[cfg(feature = "allocations")]
use endpoint::allocations;
#[cfg(not(feature = "allocations"))]
use {
    diator_benches::machine::load,
    endpoint::plan::Plan,
    endpoint::{idle, in_memory, slow_key, throughput},
};

#[cfg(not(feature = "allocations"))]
#[tokio::main(worker_threads = 2)]
async fn main() {
    let plan = Plan::of_this_process();
    println!("The load was {} before.", load());
    if plan.wants("throughput") {
        throughput::beside_a_loop(&plan).await;
    }
    if plan.wants("memory") {
        in_memory::backlog(&plan).await;
    }
    if plan.wants("slow-key") {
        slow_key::among_others(&plan).await;
    }
    if plan.wants("idle") {
        idle::endpoint(&plan).await;
    }
    println!("\nThe load was {} after.", load());
}

#[cfg(feature = "allocations")]
fn main() {
    allocations::of_a_message();
    allocations::of_keys();
}
