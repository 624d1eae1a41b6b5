//! Savepoints: what is left of a message in which a nested request failed, and its sender carried on.
//!
//! `ledger.rs` is a unit of work in memory, and two containers that hold it; `script.rs` the messages, whose handlers
//! do what the test says.

mod savepoints {
    mod faults;
    mod forgotten;
    mod hurried;
    mod ledger;
    mod middleware;
    mod nested;
    mod nested_time_out_in_a_retry;
    mod script;
}
