use std::fmt;
use std::time::Duration;

use crate::verdict::Verdict;

/// What came of a drill: a row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    cells: Vec<String>,
    drained: Option<Duration>,
    /// How many messages went in.
    pub messages: u64,
    /// The invariants that were violated, with the judge's words.
    pub violated: Vec<(String, String)>,
}

impl Row {
    pub(crate) fn new(cells: Vec<String>, messages: u64, drained: Option<Duration>, verdict: &Verdict) -> Self {
        Self { cells, drained, messages, violated: verdict.violated() }
    }

    /// Says how often something was broken, without which a drill shows nothing.
    pub(crate) fn broken(mut self, times: u64) -> Self {
        if times == 0 {
            self.violated.push(("faults".to_owned(), "nothing was broken: the drill shows nothing".to_owned()));
        }
        self
    }

    /// The head of a table with these columns, and those that each has.
    #[must_use]
    pub fn head(columns: &[&str]) -> String {
        let columns = [columns, &["drained after", "verdict"]].concat();
        format!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()))
    }

    /// Whether this invariant was violated.
    #[must_use]
    pub fn violates(&self, invariant: &str) -> bool {
        self.violated.iter().any(|(name, _)| name == invariant)
    }

    /// Fails if an invariant was violated.
    ///
    /// # Panics
    ///
    /// Then, with the judge's words.
    pub fn assert_holds(&self) {
        assert!(self.violated.is_empty(), "{self}\n{:#?}", self.violated);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drained = self.drained.map_or_else(|| "–".to_owned(), |drained| format!("{:.1} s", drained.as_secs_f64()));
        let names: Vec<_> = self.violated.iter().map(|(name, _)| name.as_str()).collect();
        let verdict = if names.is_empty() { "holds".to_owned() } else { format!("violates {}", names.join(", ")) };
        write!(f, "| {} | {drained} | {verdict} |", self.cells.join(" | "))
    }
}
