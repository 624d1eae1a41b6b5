use std::time::Duration;

use diator_benches::{Arguments, Effort};

const TABLES: [&str; 4] = ["throughput", "partitions", "latency", "idle"];

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    arguments: Arguments,
    /// How often both sides of a ratio take turns.
    pub(crate) turns: usize,
    /// How many messages a turn has.
    pub(crate) messages: u64,
    /// How long messages come, and how long none come.
    pub(crate) watch: Duration,
}

impl Plan {
    pub(crate) fn of_this_process() -> Self {
        let arguments = Arguments::of_this_process();
        let (turns, messages, seconds) = match arguments.effort {
            Effort::Try => (1, 1_000, 1),
            Effort::Quick => (3, 100_000, 10),
            Effort::Full => (9, 200_000, 60),
        };
        Self { arguments, turns, messages, watch: Duration::from_secs(seconds) }
    }

    pub(crate) fn wants(&self, table: &str) -> bool {
        self.arguments.want(table, &TABLES)
    }
}
