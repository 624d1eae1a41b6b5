use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The other processes that an event concerns: in which direction it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parties {
    /// Whether others read it, because this program sends it.
    pub(super) read: bool,
    /// Whether others send it, because this program receives it.
    pub(super) send: bool,
    /// Whether the catalog says so.
    pub(super) told: bool,
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
