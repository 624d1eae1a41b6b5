use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the commit of a message has begun: from then on it can only be waited for.
#[derive(Debug, Default)]
pub(crate) struct Committing(AtomicBool);

impl Committing {
    #[inline]
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Before each attempt, and after a commit that failed: another may follow.
    #[inline]
    pub(crate) fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
