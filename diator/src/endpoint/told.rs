use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::SendErrorKind;
use crate::registry::HandlerId;

/// How often the log has one kind of failure of a handler, as long as none is counted.
const PERIOD: Duration = Duration::from_secs(30);

/// Which failures that are not counted the log has had: an outage of an hour makes tens of thousands that say the same.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<(HandlerId, SendErrorKind), Last>);

#[derive(Debug)]
struct Last {
    at: Instant,
    left_out: u64,
}

impl Told {
    /// How many were left out since the last one, if this one is to be told.
    pub(super) fn tell(&mut self, handler: HandlerId, kind: SendErrorKind, now: Instant) -> Option<u64> {
        match self.0.get_mut(&(handler, kind)) {
            Some(last) if now < last.at + PERIOD => {
                last.left_out += 1;
                None
            }
            last => {
                let left_out = last.map_or(0, |last| last.left_out);
                self.0.insert((handler, kind), Last { at: now, left_out: 0 });
                Some(left_out)
            }
        }
    }
}
