use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Is pending so many times, and wakes its task each time.
pub async fn yields(times: usize) {
    for _ in 0..times {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Polls a future so many times and drops it; `Some` if it came to its end before that.
///
/// Between two polls all other tasks of the runtime get their turn.
pub async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Gives all other tasks their turn until the condition holds.
///
/// It never gives up: a test that uses it needs a time-out of its own.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
