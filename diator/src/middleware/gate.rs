use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the commit of a message has begun: from then on it can only be waited for.
// Shared with those who watch a message that somebody else drives: `Next::run_until`.
#[derive(Debug, Default)]
pub(crate) struct CommitGate(AtomicBool);

impl CommitGate {
    #[inline]
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// After a commit that failed: another attempt may follow.
    #[inline]
    pub(crate) fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
