use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How many counters share the work, so that threads do not wait for each other's cache lines.
const SHARDS: usize = 16;
/// How long at most a shutdown overlooks that the last one has left: see [`Entered`].
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Counts what is running, so that a shutdown can wait for it.
///
/// # Guarantees
///
/// - Either [`enter`](Self::enter) sees that it is closed, or the shutdown sees the count: nothing runs on unnoticed.
/// - The count is never too low. It can be too high for a moment, by those that leave or are refused meanwhile.
/// - The counters wrap around without harm: only their difference is read.
pub(crate) struct InFlight {
    closed: AtomicBool,
    shards: [Shard; SHARDS],
    left: Notify,
}

/// Counters on cache lines of their own; two, because processors fetch them in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Shard {
    entered: AtomicUsize,
    /// Who left on the thread that owns the shard: only that thread writes here.
    left: AtomicUsize,
    /// Who left on the other threads that use it.
    left_elsewhere: AtomicUsize,
}

impl InFlight {
    pub(crate) fn new() -> Self {
        Self { closed: AtomicBool::new(false), shards: Default::default(), left: Notify::new() }
    }

    /// Counts one more, unless it is closed.
    #[inline]
    pub(crate) fn enter<T: AsRef<Self>>(owner: T) -> Option<Entered<T>> {
        // Who comes later is not counted even for a moment: a shutdown would see one after the other, and go on waiting.
        if owner.as_ref().closed.load(Ordering::Relaxed) {
            return None;
        }
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

    /// How many are running, or a few more: those that leave meanwhile.
    pub(crate) fn count(&self) -> usize {
        // Who left has entered before: read in this order, nobody is overlooked.
        let left = |shard: &Shard| {
            let here = shard.left.load(Ordering::Acquire);
            here.wrapping_add(shard.left_elsewhere.load(Ordering::Acquire))
        };
        let left = self.shards.iter().map(left).fold(0, usize::wrapping_add);
        let entered = self.shards.iter().map(|shard| shard.entered.load(Ordering::SeqCst));
        entered.fold(0, usize::wrapping_add).wrapping_sub(left)
    }

    /// Waits until nothing is running; only after [`close`](Self::close) does that stay so.
    pub(crate) async fn idle(&self) {
        loop {
            let left = self.left.notified();
            if self.count() == 0 {
                return;
            }
            let _in_time = tokio::time::timeout(LOOK_AGAIN, left).await;
        }
    }

    #[inline]
    fn leave(&self) {
        let (shard, owned) = shard_of_this_thread();
        let shard = &self.shards[shard];
        if owned {
            let left = shard.left.load(Ordering::Relaxed);
            shard.left.store(left.wrapping_add(1), Ordering::Release);
        } else {
            shard.left_elsewhere.fetch_add(1, Ordering::Release);
        }
        if self.closed.load(Ordering::SeqCst) {
            self.left.notify_waiters();
        }
    }
}

/// One that is running; dropping it counts it out, on whichever thread that is.
// Counting out on a thread's own counter is no atomic read-modify-write, which would take as long as a whole message. For
// that, who leaves in the moment of the closing may not see it and wake nobody: whoever waits looks again.
pub(crate) struct Entered<T: AsRef<InFlight>> {
    owner: T,
}

impl<T: AsRef<InFlight>> Entered<T> {
    #[inline]
    pub(crate) fn new(owner: T) -> Self {
        let (shard, _) = shard_of_this_thread();
        owner.as_ref().shards[shard].entered.fetch_add(1, Ordering::SeqCst);
        Self { owner }
    }
}

impl<T: AsRef<InFlight>> Drop for Entered<T> {
    #[inline]
    fn drop(&mut self) {
        self.owner.as_ref().leave();
    }
}

/// The shard that this thread uses, and whether it owns it; the first threads do.
#[inline]
fn shard_of_this_thread() -> (usize, bool) {
    const UNASSIGNED: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(UNASSIGNED) };
    }
    if NUMBER.get() == UNASSIGNED {
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    let number = NUMBER.get();
    (number % SHARDS, number < SHARDS)
}

impl AsRef<Self> for InFlight {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::{Entered, InFlight, SHARDS};

    #[test]
    fn who_enters_on_one_thread_may_leave_on_another() {
        let running = Arc::new(InFlight::new());
        let entered: Vec<_> = (0..3).map(|_| InFlight::enter(running.clone()).unwrap()).collect();
        assert_eq!(running.count(), 3);
        thread::spawn(move || drop(entered)).join().unwrap();
        assert_eq!(running.count(), 0);
    }

    #[test]
    fn more_threads_than_counters_share_them() {
        let running = Arc::new(InFlight::new());
        let threads = (0..SHARDS * 3).map(|_| {
            let running = running.clone();
            thread::spawn(move || (0..1_000).for_each(|_| drop(InFlight::enter(running.clone()).unwrap())))
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(running.count(), 0);
    }

    #[test]
    fn once_it_is_closed_nobody_enters() {
        let running = InFlight::new();
        running.close();
        assert!(InFlight::enter(&running).is_none());
        assert_eq!(running.count(), 0);
        let further = Entered::new(&running);
        assert_eq!(running.count(), 1);
        drop(further);
        assert_eq!(running.count(), 0);
    }

    #[tokio::test]
    async fn whoever_was_let_in_is_waited_for() {
        for _ in 0..500 {
            let (running, over) = (Arc::new(InFlight::new()), Arc::new(AtomicBool::new(false)));
            let enter = || {
                let (running, over) = (running.clone(), over.clone());
                thread::spawn(move || {
                    while let Some(_entered) = InFlight::enter(&*running) {
                        thread::yield_now();
                        assert!(!over.load(Ordering::SeqCst), "it was let in, and is still here");
                    }
                })
            };
            let threads = [enter(), enter()];
            thread::yield_now();
            running.close();
            running.idle().await;
            over.store(true, Ordering::SeqCst);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }
}
