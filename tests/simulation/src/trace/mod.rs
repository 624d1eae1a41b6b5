//! What happened in a run.
//!
//! | part | file |
//! |---|---|
//! | a fact | `event` |
//! | what the program counts of it | `words` |

mod event;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

pub(crate) use self::event::{Answer, End, Event, How, Noted, RowState, RowVerdict, Why};

/// What happened in a run, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Vec<(Duration, Event)>);

impl Trace {
    pub(crate) fn note(&mut self, at: Duration, event: Event) {
        self.0.push((at, event));
    }

    /// The message of an entry that was published.
    pub(crate) fn message_of(&self, entry: usize) -> usize {
        let of = |event: &Event| match *event {
            Event::Published { message, entry: other } if other == entry => Some(message),
            _ => None,
        };
        self.0.iter().find_map(|(_, event)| of(event)).unwrap_or(usize::MAX)
    }

    pub(crate) fn events(&self) -> &[(Duration, Event)] {
        &self.0
    }
}

impl Trace {
    /// What the run has met, in words.
    #[must_use]
    pub fn met(&self) -> BTreeSet<&'static str> {
        self.0.iter().filter_map(|(_, event)| event.as_words()).collect()
    }
}

/// A line for each event.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in &self.0 {
            writeln!(f, "{:>9.3} {event:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
