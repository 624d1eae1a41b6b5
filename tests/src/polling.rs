use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

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

/// Gives all other tasks their turn until the condition holds.
///
/// It never gives up: a test that uses it needs a time-out of its own.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
