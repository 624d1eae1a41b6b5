use diator::container::{DependencyKey, Scope};
use diator::outbox::{Outbox, StagedMessage};
use diator::{BoxError, Meta};

use crate::journal::{Entry, Journal, label};
use crate::recorder::Transaction;

/// An outbox that writes into a [`Journal`] what it stages, with the scope's own transaction.
#[derive(Clone, Debug)]
pub struct RecordingOutbox {
    journal: Journal,
    fails: bool,
    panics: bool,
}

impl RecordingOutbox {
    /// An outbox that takes everything in.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self { journal, fails: false, panics: false }
    }

    /// An outbox that takes nothing in.
    #[must_use]
    pub fn failing(journal: Journal) -> Self {
        Self { journal, fails: true, panics: false }
    }

    /// An outbox that takes everything in, and panics when it is told of a commit.
    #[must_use]
    pub fn panicking(journal: Journal) -> Self {
        Self { journal, fails: false, panics: true }
    }
}

#[diator::async_trait]
impl Outbox for RecordingOutbox {
    fn unit_of_work(&self) -> Option<DependencyKey> {
        Some(DependencyKey::of::<Transaction>())
    }

    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[StagedMessage]) -> Result<(), BoxError> {
        scope.get::<Transaction>(meta).await?;
        if self.fails {
            return Err("the table is full".into());
        }
        for StagedMessage { message, delay, .. } in messages {
            let delay = delay.map(|delay| format!(" after {delay:?}")).unwrap_or_default();
            self.journal.write(Entry::Staged(label(message) + &delay));
        }
        Ok(())
    }

    fn committed(&self) {
        self.journal.write(Entry::StagedCommitted);
        assert!(!self.panics, "the relay cannot be woken");
    }
}
