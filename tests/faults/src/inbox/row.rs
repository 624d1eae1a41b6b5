use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::row::{count, violated};
use crate::servers::Database;

/// What came of a drill of the inbox: a cell of the table.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    database: &'static str,
    faults: u64,
    messages: u64,
    repeated: u64,
    effects: u64,
    dead: u64,
    replayed: u64,
    drained: Option<Duration>,
    /// The invariants that were violated, with the judge's words.
    pub violated: Vec<(String, String)>,
}

impl Row {
    /// The head of the table.
    pub const HEAD: &str = "| fault | database | times | messages | of which again | effects | dead letters | replayed | drained after | verdict |\n\
                            |---|---|---|---|---|---|---|---|---|---|";

    pub(crate) fn read(
        name: &str,
        database: &Database,
        faults: u64,
        verdict: &Value,
        drained: Option<Duration>,
    ) -> Self {
        let mut violated = violated(verdict);
        if faults == 0 {
            violated.push(("faults".to_owned(), "nothing was broken: the drill shows nothing".to_owned()));
        }
        Self {
            name: name.to_owned(),
            database: database.name(),
            faults,
            messages: count(verdict, "once", "messages"),
            repeated: count(verdict, "once", "repeated"),
            effects: count(verdict, "once", "effects"),
            dead: count(verdict, "dead", "dead"),
            replayed: count(verdict, "replayed", "replayed"),
            drained,
            violated,
        }
    }

    /// How many messages were published.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages + self.repeated
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
        let Self { name, database, faults, messages, repeated, effects, dead, replayed, drained, violated } = self;
        let drained = drained.map_or_else(|| "–".to_owned(), |drained| format!("{:.1} s", drained.as_secs_f64()));
        let names: Vec<_> = violated.iter().map(|(name, _)| name.as_str()).collect();
        let verdict = if names.is_empty() { "holds".to_owned() } else { format!("violates {}", names.join(", ")) };
        write!(
            f,
            "| {name} | {database} | {faults} | {messages} | {repeated} | {effects} | {dead} | {replayed} | {drained} | {verdict} |"
        )
    }
}
