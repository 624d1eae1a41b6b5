//! The life of a message, step by step: one suite over every way of sending.
//!
//! `world.rs` has the ways of sending, and the mediator that a test sends to; `messages.rs` the command and the events,
//! whose handlers do what the test says. The other files are the steps.

mod lifecycle {
    mod after_commit;
    mod cancellation;
    mod commit;
    mod commit_unknown;
    mod concurrency;
    mod emit;
    mod events;
    mod handler;
    mod isolation;
    mod limits;
    mod memory;
    mod messages;
    mod meta;
    mod middleware;
    mod nested;
    mod nested_given_up;
    mod panics;
    mod publishing;
    mod scope;
    mod stage;
    mod world;
}
