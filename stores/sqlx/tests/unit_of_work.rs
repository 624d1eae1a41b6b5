#![cfg(feature = "sqlite")]
//! The transaction as the unit of work of a mediator's messages, and what goes wrong with SQLite.
//!
//! `database.rs` is a SQLite file in a temporary folder; `script.rs` the messages, whose handlers do what the test says.

mod unit_of_work {
    mod cancelled;
    mod commit;
    mod concurrent;
    mod database;
    mod nested;
    mod script;
    mod waking;
}
