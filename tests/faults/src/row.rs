use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::servers::Database;

/// What came of a drill: a row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    database: &'static str,
    acknowledged: u64,
    delivered: u64,
    duplicates: u64,
    allowed: u64,
    drained: Option<Duration>,
    /// The invariants that were violated, with the judge's words.
    pub violated: Vec<(String, String)>,
}

impl Row {
    /// The head of the table.
    pub const HEAD: &str = "| drill | database | acknowledged | delivered | duplicates | allowed | drained after | verdict |\n\
                            |---|---|---|---|---|---|---|---|";

    pub(crate) fn read(name: &str, database: &Database, verdict: &Value, drained: Option<Duration>) -> Self {
        Self {
            name: name.to_owned(),
            database: database.name(),
            acknowledged: count(verdict, "answers", "acknowledged"),
            delivered: count(verdict, "I1", "delivered"),
            duplicates: count(verdict, "I3", "duplicates"),
            allowed: count(verdict, "I3", "allowed"),
            drained,
            violated: violated(verdict),
        }
    }

    /// Whether this invariant was violated.
    #[must_use]
    pub fn violates(&self, invariant: &str) -> bool {
        self.violated.iter().any(|(name, _)| name == invariant)
    }

    /// How often something was delivered again.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
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
        let Self { name, database, acknowledged, delivered, duplicates, allowed, drained, violated } = self;
        let drained = drained.map_or_else(|| "–".to_owned(), |drained| format!("{:.1} s", drained.as_secs_f64()));
        let names: Vec<_> = violated.iter().map(|(name, _)| name.as_str()).collect();
        let verdict = if names.is_empty() { "holds".to_owned() } else { format!("violates {}", names.join(", ")) };
        write!(
            f,
            "| {name} | {database} | {acknowledged} | {delivered} | {duplicates} | {allowed} | {drained} | {verdict} |"
        )
    }
}

/// What the judge counted of an invariant.
pub(crate) fn count(verdict: &Value, invariant: &str, what: &str) -> u64 {
    let verdicts = verdict["verdicts"].as_array().expect("the judge lists its verdicts");
    // A tuple of name, holds, text, counts, examples; named where Python names it.
    let of = verdicts.iter().find(|verdict| verdict["name"] == invariant).expect("it judges all");
    of["counts"][what].as_u64().unwrap_or_default()
}

/// The invariants that do not hold, with the judge's words.
pub(crate) fn violated(verdict: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdicts = verdict["verdicts"].as_array().expect("the judge lists its verdicts");
    let violated = verdicts.iter().filter(|verdict| verdict["holds"] != true);
    let words = |verdict: &Value| format!("{}, as of {}", text(&verdict["text"]), verdict["examples"]);
    violated.map(|verdict| (text(&verdict["name"]), words(verdict))).collect()
}
