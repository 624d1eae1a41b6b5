use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use diator::broker::{Guarantees, InMemoryBroker, MessageBroker, OutboundMessage, PublishError, Receipt};
use diator_testkit::yields;

use crate::journal::{Entry, Journal, label};

/// An in-memory broker that writes what it takes into a [`Journal`], and can take its time or panic.
///
/// Clones are the same broker.
#[derive(Clone, Debug)]
pub struct RecordingBroker {
    memory: InMemoryBroker,
    journal: Journal,
    yields: Arc<AtomicUsize>,
    panics: Arc<AtomicBool>,
}

impl RecordingBroker {
    /// An empty broker that accepts everything at once.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self { memory: InMemoryBroker::new(), journal, yields: Arc::default(), panics: Arc::default() }
    }

    /// The broker behind it, which can be told to refuse or to hang.
    #[must_use]
    pub fn memory(&self) -> &InMemoryBroker {
        &self.memory
    }

    /// Is pending so many times before it takes a message.
    pub fn yielding(&self, times: usize) {
        self.yields.store(times, Ordering::SeqCst);
    }

    /// Whether it panics instead of taking messages.
    pub fn panicking(&self, panics: bool) {
        self.panics.store(panics, Ordering::SeqCst);
    }
}

#[diator::async_trait]
impl MessageBroker for RecordingBroker {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        yields(self.yields.load(Ordering::SeqCst)).await;
        assert!(!self.panics.load(Ordering::SeqCst), "the broker panics");
        let receipt = self.memory.publish(message).await?;
        self.journal.write(Entry::Published(label(message)));
        Ok(receipt)
    }

    fn guarantees(&self) -> Guarantees {
        self.memory.guarantees()
    }
}
