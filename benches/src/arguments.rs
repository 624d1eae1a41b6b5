/// What this process was asked for.
#[derive(Debug)]
pub struct Arguments {
    words: Vec<String>,
    /// How much is to be measured.
    pub effort: Effort,
}

/// How much is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// `cargo test --all-targets` only wants to see it work.
    Try,
    /// `--quick`.
    Quick,
    /// As much as a figure needs that is written down.
    Full,
}

impl Arguments {
    /// Those of the command line.
    #[must_use]
    pub fn of_this_process() -> Self {
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let says = |option: &str| arguments.iter().any(|argument| argument == option);
        let effort = match (says("--bench"), says("--quick")) {
            (false, _) => Effort::Try,
            (true, true) => Effort::Quick,
            (true, false) => Effort::Full,
        };
        Self { words: arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect(), effort }
    }

    /// Whether one of these is wanted: all are, unless some are named.
    #[must_use]
    pub fn want(&self, one: &str, of_these: &[&str]) -> bool {
        !of_these.iter().any(|word| self.name(word)) || self.name(one)
    }

    fn name(&self, word: &str) -> bool {
        self.words.iter().any(|named| named == word)
    }
}
