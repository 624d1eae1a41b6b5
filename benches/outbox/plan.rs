use std::time::Duration;

use diator_benches::{Arguments, Effort};

const TABLES: [&str; 9] =
    ["commits", "inbox", "entering", "transaction", "statements", "relay", "latency", "chain", "idle"];
const ENGINES: [&str; 2] = ["postgres", "sqlite"];

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    arguments: Arguments,
    /// How often both sides of a ratio take turns.
    pub(crate) turns: usize,
    /// How long a turn of commits takes.
    pub(crate) turn: Duration,
    /// How many messages the relay finds.
    pub(crate) backlog: usize,
    /// How many of them are in one partition.
    pub(crate) in_one_partition: usize,
    /// How often a backlog is drained, each side once.
    pub(crate) drains: usize,
    /// How many rows the inbox has that is compared with an empty one.
    pub(crate) inbox_rows: usize,
    /// How long events come, and how long none come.
    pub(crate) watch: Duration,
}

impl Plan {
    pub(crate) fn of_this_process() -> Self {
        let arguments = Arguments::of_this_process();
        let (turns, milliseconds, drains, seconds, backlog, inbox_rows) = match arguments.effort {
            Effort::Try => (1, 50, 1, 1, 1_000, 1_000),
            Effort::Quick => (9, 60, 1, 5, 20_000, 1_000_000),
            Effort::Full => (81, 60, 3, 20, 100_000, 10_000_000),
        };
        let (turn, watch) = (Duration::from_millis(milliseconds), Duration::from_secs(seconds));
        Self { arguments, turns, turn, backlog, in_one_partition: 2 * backlog, drains, inbox_rows, watch }
    }

    pub(crate) fn wants(&self, table: &str) -> bool {
        self.arguments.want(table, &TABLES)
    }

    /// How commits are measured on this database: with fsync and without it, or not at all.
    pub(crate) fn fsyncs(&self, engine: &str) -> &'static [bool] {
        if self.arguments.want(engine, &ENGINES) { &[true, false] } else { &[] }
    }
}
