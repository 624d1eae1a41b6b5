use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// Whether the commit of a message has begun: from then on it can only be waited for.
// Shared with those who watch a message that somebody else drives: `Next::run_until`.
#[derive(Debug, Default)]
pub(crate) struct CommitGate {
    commits: AtomicBool,
    handles: AtomicBool,
}

impl CommitGate {
    #[inline]
    pub(crate) fn begin(&self) {
        self.commits.store(true, Ordering::Relaxed);
    }

    /// After a commit that failed: another attempt may follow.
    #[inline]
    pub(crate) fn reset(&self) {
        self.commits.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.commits.load(Ordering::Relaxed)
    }

    /// A handler is about to run: there is a unit of work, and the inbox has answered.
    #[inline]
    pub(crate) fn handle(&self) {
        self.handles.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_handled(&self) -> bool {
        self.handles.load(Ordering::Relaxed)
    }
}

/// What comes of it, unless `stop` is ready before that and before the commit begins: then it is dropped, and the answer is `None`.
pub(crate) async fn run_until<T>(
    gate: Option<&CommitGate>,
    running: impl Future<Output = T>,
    stop: impl Future<Output = ()>,
) -> Option<T> {
    let (mut running, mut stop) = (pin!(running), pin!(stop));
    let mut stopped = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = running.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        stopped = stopped || stop.as_mut().poll(cx).is_ready();
        match stopped && !gate.is_some_and(CommitGate::has_begun) {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    })
    .await
}
