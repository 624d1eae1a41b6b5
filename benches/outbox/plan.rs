use std::time::Duration;

const TABLES: [&str; 8] = ["commits", "inbox", "entering", "transaction", "statements", "relay", "latency", "idle"];
const ENGINES: [&str; 2] = ["postgres", "sqlite"];

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    words: Vec<String>,
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
        // `cargo test --all-targets` runs it too, and only wants to see it work.
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let says = |option: &str| arguments.iter().any(|argument| argument == option);
        let words = arguments.iter().filter(|argument| !argument.starts_with('-')).cloned().collect();
        let (turns, milliseconds, drains, seconds, backlog, inbox_rows) = match (says("--bench"), says("--quick")) {
            (false, _) => (1, 50, 1, 1, 1_000, 1_000),
            (true, true) => (9, 60, 1, 5, 20_000, 1_000_000),
            (true, false) => (81, 60, 3, 20, 100_000, 10_000_000),
        };
        let (turn, watch) = (Duration::from_millis(milliseconds), Duration::from_secs(seconds));
        Self { words, turns, turn, backlog, in_one_partition: 2 * backlog, drains, inbox_rows, watch }
    }

    pub(crate) fn wants(&self, table: &str) -> bool {
        !self.names_one_of(&TABLES) || self.names(table)
    }

    /// How commits are measured on this database: with fsync and without it, or not at all.
    pub(crate) fn fsyncs(&self, engine: &str) -> &'static [bool] {
        if !self.names_one_of(&ENGINES) || self.names(engine) { &[true, false] } else { &[] }
    }

    fn names_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.names(word))
    }

    fn names(&self, word: &str) -> bool {
        self.words.iter().any(|named| named == word)
    }
}
