use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Impact;

/// The other processes that an event concerns: in which direction it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    /// Whether others read it, because this program sends it.
    pub(crate) read: bool,
    /// Whether others send it, because this program receives it.
    pub(crate) send: bool,
    /// Whether the catalog says so.
    pub(crate) told: bool,
}

/// Those of an event of which an earlier catalog says no direction: it may have had any.
impl Default for Parties {
    fn default() -> Self {
        Self { read: true, send: true, told: false }
    }
}

impl Serialize for Parties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let direction = match (self.read, self.send) {
            (true, true) => Some("both"),
            (true, false) => Some("sent"),
            (false, true) => Some("received"),
            (false, false) => None,
        };
        direction.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Parties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (read, send) = match Option::<String>::deserialize(deserializer)?.as_deref() {
            None => (false, false),
            Some("sent") => (true, false),
            Some("received") => (false, true),
            Some("both") => (true, true),
            Some(other) => return Err(D::Error::unknown_variant(other, &["sent", "received", "both"])),
        };
        Ok(Self { read, send, told: true })
    }
}

impl Parties {
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
        // Where nothing was said, nothing can have been lost.
        let told = |change: Option<_>| change.filter(|_| self.told);
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
        told(sent).into_iter().chain(told(received))
    }
}
