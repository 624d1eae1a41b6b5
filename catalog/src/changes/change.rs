use serde::Serialize;

use crate::clean::clean;
use crate::json::value;

/// One difference between two catalogs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Change {
    /// Whom it breaks.
    pub impact: Impact,
    /// What it is.
    pub text: String,
}

/// Whom a change breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Impact {
    /// Other processes that read the program's notification and ECST events.
    Consumers,
    /// Whoever sends the message, in this program or to it.
    Senders,
    /// Messages that are under way: redelivered, or waiting to be replayed to a handler that they know by its id.
    UnderWay,
    /// Nobody that the catalog knows of.
    Nobody,
}

impl Impact {
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Consumers => "breaks consumers of the events",
            Self::Senders => "breaks who sends the messages",
            Self::UnderWay => "breaks messages that are under way",
            Self::Nobody => "other changes",
        }
    }
}

pub(super) fn note(changes: &mut Vec<Change>, impact: Impact, text: &str) {
    changes.push(Change { impact, text: clean(text) });
}

/// Says of a field that it differs, if it does; values are written as in the file.
pub(super) fn changed<T: Serialize + PartialEq>(field: &str, was: &T, is: &T) -> Option<String> {
    (was != is).then(|| format!("{field} was {}, now {}", value(was), value(is)))
}

/// A text as it stands in the file.
pub(super) fn quoted(text: &str) -> String {
    value(&text).to_string()
}

/// What the one list has, and the other lacks.
pub(super) fn missing_in<'a>(some: &'a [String], others: &'a [String]) -> impl Iterator<Item = &'a String> {
    some.iter().filter(|one| !others.contains(one))
}
