use std::sync::Arc;

use diator::broker::OutboundMessage;
use diator::container::{DependencyKey, Place, Resolving, Scope};
use diator::{BoxError, Outbox};

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
    async fn stage(&self, scope: &dyn Scope, messages: &[OutboundMessage]) -> Result<(), BoxError> {
        let mut transaction: Option<Arc<Transaction>> = None;
        match scope.resolve(&DependencyKey::of::<Transaction>(), Place::new(&mut transaction)) {
            Resolving::Ready(resolved) => resolved?,
            Resolving::Pending(resolving) => resolving.await?,
        }
        if self.fails {
            return Err("the table is full".into());
        }
        messages.iter().for_each(|message| self.journal.write(Entry::Staged(label(message))));
        Ok(())
    }
}
