use std::fmt;

use super::clean::clean;
use super::{Catalog, EventEntry, Source};

/// How it comes to be known what causes what.
pub(super) const TO_OBSERVE: &str =
    "    a test notes it down with `.observe(edges.clone())` and `edges.assert_matches(\"edges.json\")`;
    `--edges edges.json` or `Cli::edges` shows it
";

/// Where broker events go.
pub(super) fn broker(catalog: &Catalog) -> &'static str {
    if catalog.broker.is_some() { "the broker" } else { "a broker (none is known)" }
}

/// A topic behind what has it.
pub(super) fn topic(event: &EventEntry) -> String {
    event.topic.as_ref().map(|topic| format!(", topic \"{}\"", clean(topic))).unwrap_or_default()
}

/// A place behind what stands there, if it is known.
pub(super) struct Place<'a>(pub(super) Option<&'a Source>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |source| write!(f, "  {source}"))
    }
}
