use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Impact;

/// The other processes that an event concerns: in which direction it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    /// Whether others read it, because this program sends it.
    pub(crate) read: bool,
    /// Whether others send it, because this program receives it.
    pub(crate) send: bool,
}

/// Those of an event of which an earlier catalog says no direction: it may have had any.
impl Default for Parties {
    fn default() -> Self {
        Self { read: true, send: true }
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
        let direction = Option::<String>::deserialize(deserializer)?;
        let is_any_of = |words: [&str; 2]| direction.as_deref().is_some_and(|direction| words.contains(&direction));
        Ok(Self { read: is_any_of(["sent", "both"]), send: is_any_of(["received", "both"]) })
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
