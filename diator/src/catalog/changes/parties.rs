use serde_json::Value;

use super::Impact;

/// The other processes that an event concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parties {
    /// Whether others read it, because this program sends it.
    pub(super) read: bool,
    /// Whether others send it, because this program receives it.
    pub(super) send: bool,
}

impl Parties {
    /// Those of an event in a catalog's JSON; one without a direction may have any.
    pub(super) fn of(event: &Value) -> Self {
        match event.get("direction").map(Value::as_str) {
            None => Self { read: true, send: true },
            Some(direction) => Self {
                read: matches!(direction, Some("sent" | "both")),
                send: matches!(direction, Some("received" | "both")),
            },
        }
    }

    /// What a change means that concerns the readers alone.
    pub(super) fn readers(self) -> Impact {
        if self.read { Impact::Consumers } else { Impact::Nobody }
    }

    /// What a change means that concerns the senders alone.
    pub(super) fn senders(self) -> Impact {
        if self.send { Impact::Senders } else { Impact::Nobody }
    }

    /// What a change means that concerns everybody: it breaks each of them, or nobody.
    pub(super) fn all(self) -> impl Iterator<Item = Impact> {
        let impacts = match (self.read, self.send) {
            (true, true) => [Some(Impact::Consumers), Some(Impact::Senders)],
            (false, true) => [Some(Impact::Senders), None],
            _ => [Some(self.readers()), None],
        };
        impacts.into_iter().flatten()
    }

    /// What it means that these are now others.
    pub(super) fn changes_to(self, now: Self) -> impl Iterator<Item = (Impact, &'static str)> {
        let sent = match (self.read, now.read) {
            (true, false) => Some((Impact::Consumers, "it is no longer sent")),
            (false, true) => Some((Impact::Nobody, "it is now sent")),
            _ => None,
        };
        let received = match (self.send, now.send) {
            (true, false) => Some((Impact::Senders, "it is no longer received: nobody handles it")),
            (false, true) => Some((Impact::Nobody, "it is now received")),
            _ => None,
        };
        sent.into_iter().chain(received)
    }
}
