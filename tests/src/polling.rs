use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Is pending so many times; all other tasks of the runtime get their turn each time.
pub async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Runs a future that never waits, without a runtime.
///
/// # Panics
///
/// The future waits for something.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("something in it waits"),
    }
}

/// Polls a future so many times and drops it; `Some` if it came to its end before that.
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

/// Gives all other tasks their turn until the condition holds.
///
/// It never gives up: a test that uses it needs a time-out of its own.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
