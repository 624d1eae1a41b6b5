use std::sync::Arc;

use tokio::time::Instant;

use crate::broker::OutboundMessage;

/// What was published and not taken away, oldest first.
#[derive(Default)]
pub(crate) struct Log {
    kept: Vec<Arc<Kept>>,
    next: u64,
}

/// A message that was published, with its place among all of them.
pub(crate) struct Kept {
    pub(crate) sequence: u64,
    pub(crate) at: Instant,
    pub(crate) message: OutboundMessage,
}

impl Log {
    pub(super) fn append(&mut self, message: OutboundMessage) -> Arc<Kept> {
        let kept = Arc::new(Kept { sequence: self.next, at: Instant::now(), message });
        self.next += 1;
        self.kept.push(kept.clone());
        kept
    }

    pub(super) fn take(&mut self) -> Vec<OutboundMessage> {
        let messages = std::mem::take(&mut self.kept).into_iter();
        messages
            .map(|kept| Arc::try_unwrap(kept).map_or_else(|kept| kept.message.clone(), |kept| kept.message))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &OutboundMessage> {
        self.kept.iter().map(|kept| &kept.message)
    }

    /// What is kept from a place on.
    pub(crate) fn since(&self, sequence: u64) -> impl Iterator<Item = &Arc<Kept>> {
        let from = self.kept.partition_point(|kept| kept.sequence < sequence);
        self.kept[from..].iter()
    }

    /// The place of the message that comes next.
    pub(crate) fn end(&self) -> u64 {
        self.next
    }
}
