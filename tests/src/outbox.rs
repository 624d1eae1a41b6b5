use diator::broker::OutboundMessage;
use diator::container::Scope;
use diator::{BoxError, Meta, Outbox};

use crate::journal::{Entry, Journal, label};
use crate::recorder::Transaction;

/// An outbox that writes into a [`Journal`] what it stages, with the scope's own transaction.
#[derive(Clone, Debug)]
pub struct RecordingOutbox {
    journal: Journal,
    fails: bool,
}

impl RecordingOutbox {
    /// An outbox that takes everything in.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self { journal, fails: false }
    }

    /// An outbox that takes nothing in.
    #[must_use]
    pub fn failing(journal: Journal) -> Self {
        Self { journal, fails: true }
    }
}

#[diator::async_trait]
impl Outbox for RecordingOutbox {
    async fn stage(&self, scope: &dyn Scope, meta: &Meta, messages: &[OutboundMessage]) -> Result<(), BoxError> {
        scope.get::<Transaction>(meta).await?;
        if self.fails {
            return Err("the table is full".into());
        }
        messages.iter().for_each(|message| self.journal.write(Entry::Staged(label(message))));
        Ok(())
    }
}
