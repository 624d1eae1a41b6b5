use super::change::Impact;
use crate::parties::Parties;

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
