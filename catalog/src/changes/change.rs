use serde::Serialize;

use crate::clean::clean;
use crate::json::value;

/// One difference between two catalogs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Change {
    /// The parties that the change breaks.
    pub impact: Impact,
    /// The difference, in words.
    pub text: String,
}

/// The parties that a change breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Impact {
    /// Other processes that read the program's notification and ECST events.
    Consumers,
    /// Senders of the message, in this program or in others.
    Senders,
    /// Messages that are under way: redelivered, or waiting for a replay to a handler that they know by its id.
    UnderWay,
    /// No party that the catalog knows.
    Nobody,
}

impl Impact {
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Consumers => "breaks consumers of the events",
            Self::Senders => "breaks senders of the messages",
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
