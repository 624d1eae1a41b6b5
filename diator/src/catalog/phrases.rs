use std::fmt;

use super::labels::clean;
use super::{Catalog, EventEntry, Source};
use crate::broker;

/// How it comes to be known what causes what.
pub(super) const TO_OBSERVE: &str =
    "    a test notes it down with `.observe(&edges)` and `edges.assert_matches(\"edges.json\")`;
    `--edges edges.json` or `Cli::edges` shows it
";

/// Where broker events go.
pub(super) fn broker(catalog: &Catalog) -> &'static str {
    if catalog.broker.is_some() { "the broker" } else { "a broker (none is known)" }
}

/// A topic behind what has it.
pub(super) fn topic(event: &EventEntry) -> String {
    event.topic.map(|topic| format!(", topic \"{}\"", clean(topic))).unwrap_or_default()
}

/// A place behind what stands there, if it is known.
pub(super) struct Place<'a>(pub(super) Option<&'a Source>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |source| write!(f, "  {source}"))
    }
}

/// The guarantees in words.
pub(super) struct Guarantees<'a>(pub(super) &'a broker::Guarantees);

impl fmt::Display for Guarantees<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broker::Guarantees { durable, ordered, ordered_by_key, confirmed, retained, deduplicated, max_body } =
            self.0;
        let words = [
            (*durable, "durable"),
            (*ordered, "ordered"),
            (*ordered_by_key && !*ordered, "ordered by key"),
            (*confirmed, "confirmed"),
            (*retained, "retained"),
            (*deduplicated, "deduplicated"),
        ];
        let mut words: Vec<_> =
            words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word.to_owned()).collect();
        words.extend(max_body.map(|bytes| format!("at most {bytes} bytes")));
        match words.is_empty() {
            true => f.write_str("promises nothing beyond the contract"),
            false => f.write_str(&words.join(", ")),
        }
    }
}
