use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many counters share the work, so that threads do not wait for each other's cache lines.
const SHARDS: usize = 16;

/// Counts what is running, so that a shutdown can wait for it.
pub(crate) struct Running {
    closed: AtomicBool,
    shards: [Shard; SHARDS],
    left: Notify,
}

/// A counter on cache lines of its own; two, because processors fetch them in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Shard(AtomicUsize);

impl Running {
    pub(crate) fn new() -> Self {
        Self { closed: AtomicBool::new(false), shards: Default::default(), left: Notify::new() }
    }

    /// Counts one more, unless it is closed.
    #[inline]
    pub(crate) fn enter<T: AsRef<Self>>(owner: T) -> Option<Entered<T>> {
        let entered = Entered::new(owner);
        // Sequentially consistent on both sides: either this sees the shutdown, or the shutdown sees the count.
        match entered.owner.as_ref().closed.load(Ordering::SeqCst) {
            true => None,
            false => Some(entered),
        }
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    #[cfg(feature = "tower")]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.load(Ordering::SeqCst)).sum()
    }

    /// Waits until nothing is running; only after [`close`](Self::close) does that stay so.
    pub(crate) async fn idle(&self) {
        loop {
            let left = self.left.notified();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }
}

/// One that is running; dropping it counts it out.
pub(crate) struct Entered<T: AsRef<Running>> {
    owner: T,
    shard: usize,
}

impl<T: AsRef<Running>> Entered<T> {
    #[inline]
    pub(crate) fn new(owner: T) -> Self {
        let shard = shard_of_this_thread();
        owner.as_ref().shards[shard].0.fetch_add(1, Ordering::SeqCst);
        Self { owner, shard }
    }
}

impl<T: AsRef<Running>> Drop for Entered<T> {
    #[inline]
    fn drop(&mut self) {
        let running = self.owner.as_ref();
        running.shards[self.shard].0.fetch_sub(1, Ordering::SeqCst);
        if running.closed.load(Ordering::SeqCst) {
            running.left.notify_waiters();
        }
    }
}

#[inline]
fn shard_of_this_thread() -> usize {
    const UNASSIGNED: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(UNASSIGNED) };
    }
    if SHARD.get() == UNASSIGNED {
        SHARD.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.get()
}

impl AsRef<Self> for Running {
    fn as_ref(&self) -> &Self {
        self
    }
}
