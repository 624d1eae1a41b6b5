use std::time::Duration;

const TABLES: [&str; 4] = ["throughput", "memory", "slow-key", "idle"];

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    words: Vec<String>,
    /// How often both sides of a ratio take turns.
    pub(crate) turns: usize,
    /// How many messages a turn has.
    pub(crate) messages: u64,
    /// How long nothing comes.
    pub(crate) watch: Duration,
}

impl Plan {
    pub(crate) fn of_this_process() -> Self {
        // `cargo test --all-targets` runs it too, and only wants to see it work.
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let says = |option: &str| arguments.iter().any(|argument| argument == option);
        let words = arguments.iter().filter(|argument| !argument.starts_with('-')).cloned().collect();
        let (turns, messages, seconds) = match (says("--bench"), says("--quick")) {
            (false, _) => (1, 1_000, 1),
            (true, true) => (5, 20_000, 5),
            (true, false) => (21, 40_000, 20),
        };
        Self { words, turns, messages, watch: Duration::from_secs(seconds) }
    }

    pub(crate) fn wants(&self, table: &str) -> bool {
        let names = |table: &str| self.words.iter().any(|named| named == table);
        !TABLES.into_iter().any(names) || names(table)
    }
}
