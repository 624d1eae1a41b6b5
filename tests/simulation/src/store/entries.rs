use std::collections::BTreeMap;

use uuid::Uuid;

/// What the inbox knows of: a message, for a handler, in a generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) message: Uuid,
    pub(super) handler: Box<str>,
    pub(super) generation: u32,
}

/// What has entered the inbox.
#[derive(Default)]
pub(super) struct Entries(BTreeMap<Entry, Noted>);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    /// This transaction has entered, and has not ended.
    Open {
        transaction: u64,
    },
    Done,
}

impl Entries {
    pub(super) fn of(&self, entry: &Entry) -> Option<Noted> {
        self.0.get(entry).copied()
    }

    /// Whether it is done in any generation.
    pub(super) fn is_done(&self, message: Uuid, handler: &str) -> bool {
        let is_it = |entry: &Entry| entry.message == message && *entry.handler == *handler;
        self.0.iter().any(|(entry, noted)| is_it(entry) && *noted == Noted::Done)
    }

    pub(super) fn is_any_open(&self) -> bool {
        self.0.values().any(|noted| matches!(noted, Noted::Open { .. }))
    }

    pub(super) fn note(&mut self, entry: Entry, noted: Noted) {
        self.0.insert(entry, noted);
    }

    /// Takes out what a transaction has entered.
    pub(super) fn take(&mut self, transaction: u64) -> Option<Entry> {
        let is_its = |noted: &Noted| *noted == Noted::Open { transaction };
        let entry = self.0.iter().find(|(_, noted)| is_its(noted)).map(|(entry, _)| entry.clone())?;
        self.0.remove(&entry);
        Some(entry)
    }
}
