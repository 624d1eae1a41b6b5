use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diator::OutboundMessage;

/// Numbers the scopes of one container, in the order in which they were opened.
pub type ScopeId = usize;

/// What happened, in one order for all who take part: handlers, scopes, the broker, the outbox.
///
/// Clones write into the same journal.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<Entry>>>);

/// One line of a [`Journal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What a handler or a middleware had to say.
    Note(String),
    /// A scope was opened.
    Opened(ScopeId),
    /// A scope was asked for a service.
    Resolved(ScopeId, &'static str),
    /// A scope was told to close as a success.
    CommitBegun(ScopeId),
    /// A scope came to its end.
    Ended(ScopeId, Ending),
    /// The broker took a message of this key, or of this name if it has no key.
    Published(String),
    /// The outbox took a message of this key, or of this name if it has no key; with its delay, if it has one.
    Staged(String),
    /// The outbox was told that what it took is committed.
    StagedCommitted,
}

/// How a scope ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It closed as a success.
    Committed,
    /// It was to close as a success, and could not.
    CommitFailed,
    /// It closed as a failure.
    RolledBack,
    /// It was dropped without having been closed, which means failure too.
    Dropped,
    /// Its commit had begun, and was dropped half way.
    Interrupted,
}

/// How a journal tells messages apart.
pub(crate) fn label(message: &OutboundMessage) -> String {
    message.key.clone().unwrap_or_else(|| message.name.to_string())
}

impl Entry {
    /// A note, to compare with.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note(text.into())
    }
}

impl Journal {
    /// Writes a note.
    pub fn note(&self, text: impl Into<String>) {
        self.write(Entry::note(text));
    }

    /// Writes any entry.
    pub fn write(&self, entry: Entry) {
        self.lines().push(entry);
    }

    /// Everything, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lines().clone()
    }

    /// The notes alone, oldest first.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.select(|entry| match entry {
            Entry::Note(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// The messages that the broker took, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<String> {
        self.select(|entry| match entry {
            Entry::Published(label) => Some(label.clone()),
            _ => None,
        })
    }

    /// How often an entry was written.
    #[must_use]
    pub fn count(&self, entry: &Entry) -> usize {
        self.lines().iter().filter(|other| *other == entry).count()
    }

    /// Where an entry stands for the first time.
    ///
    /// # Panics
    ///
    /// It is not there.
    #[must_use]
    #[track_caller]
    pub fn position(&self, entry: &Entry) -> usize {
        let entries = self.entries();
        let found = entries.iter().position(|other| other == entry);
        found.unwrap_or_else(|| panic!("{entry:?} is missing in {entries:#?}"))
    }

    /// How the scopes ended, in the order in which they were opened.
    ///
    /// # Panics
    ///
    /// A scope has not ended, or has ended more than once.
    #[must_use]
    #[track_caller]
    pub fn endings(&self) -> Vec<Ending> {
        let mut scopes: BTreeMap<ScopeId, Vec<Ending>> = BTreeMap::new();
        for entry in &*self.lines() {
            match entry {
                Entry::Opened(id) => drop(scopes.entry(*id).or_default()),
                Entry::Ended(id, ending) => scopes.entry(*id).or_default().push(*ending),
                _ => {}
            }
        }
        let one = |(id, endings): (ScopeId, Vec<Ending>)| match endings[..] {
            [ending] => ending,
            _ => panic!("scope {id} has not ended once, but so: {endings:?}"),
        };
        scopes.into_iter().map(one).collect()
    }

    fn select<T>(&self, choose: impl FnMut(&Entry) -> Option<T>) -> Vec<T> {
        self.lines().iter().filter_map(choose).collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
