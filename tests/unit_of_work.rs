//! A unit of work on a real data base: the transaction of `examples/unit_of_work`, and what goes wrong with SQLite.
//!
//! `database.rs` is a SQLite file in a temporary folder; `script.rs` the messages, whose handlers do what the test says.

mod unit_of_work {
    mod cancelled;
    mod commit;
    mod concurrent;
    mod database;
    mod guide;
    mod nested;
    mod script;
    #[path = "../../examples/unit_of_work/transaction.rs"]
    mod transaction;
    mod waking;
}
