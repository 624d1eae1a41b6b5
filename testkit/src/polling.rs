use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

/// Is pending this many times; all other tasks of the runtime get their turn each time.
///
/// Use it in code under test that must not take all its services in one go.
///
/// # Example
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use diator_testkit::{drop_after, yields};
///
/// assert_eq!(drop_after(3, yields(3)).await, None);
/// assert_eq!(drop_after(4, yields(3)).await, Some(()));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Polls a future this many times and drops it; `Some` if the future ended before that.
///
/// Use it to test what must survive a caller that goes away. It needs a tokio runtime.
///
/// # Guarantees
///
/// Between two polls all other tasks of the runtime get their turn, but not between the last one and the drop.
pub async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for poll in 0..polls {
        if poll > 0 {
            tokio::task::yield_now().await;
        }
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
    }
    None
}

/// Runs a case, and fails if the case takes too long.
///
/// The cases of the suites run with it; a test that waits for a server of its own can do the same.
///
/// # Panics
///
/// After two minutes, or outside a tokio runtime with a timer.
pub async fn within_patience<T>(case: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(120), Box::pin(case)).await.expect("the case should have come to its end by now")
}

/// Runs a case of a suite as a test, in a runtime of its own with two worker threads.
#[doc(hidden)]
pub fn __run(case: impl Future<Output = ()>) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(within_patience(case));
}

/// Runs a case like [`__run`], or on a clock that is paused, where a case that hangs fails at once.
#[doc(hidden)]
pub fn __run_on(virtual_time: bool, case: impl Future<Output = ()>) {
    if virtual_time {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        let patience = Duration::from_secs(24 * 60 * 60);
        let ended = runtime.block_on(async { timeout(patience, Box::pin(case)).await });
        ended.expect("the case should have come to its end by now");
    } else {
        __run(case);
    }
}
