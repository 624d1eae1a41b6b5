//! Endpoints on an engine that does what a test says, in virtual time.

mod ahead;
mod busy;
mod contract;
mod duplicates;
mod ending;
mod engine;
mod failing;
mod handling;
mod kept;
mod kept_chance;
mod kept_crashes;
mod kept_faults;
mod kept_leases;
mod kept_permits;
mod kept_renamed;
mod kept_together;
mod kept_turns;
mod log;
mod offsets;
mod own;
mod owners;
mod panics;
mod poison;
mod reopening;
mod settling;
mod stale;
mod start;
mod stores;
mod stuck;
mod told;
mod warnings;
#[allow(
    unused_imports,
    reason = "what the attributes write for the feature `froodi`: within this crate, lints look into its macros"
)]
mod world;
