//! Two futures, of which the first to end counts.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Which of two futures ended.
pub(crate) enum First<A, B> {
    Left(A),
    Right(B),
}

/// Waits for the first of two futures to end, and drops the other; the left one if both have.
pub(crate) async fn race<A: Future, B: Future>(left: A, right: B) -> First<A::Output, B::Output> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| match left.as_mut().poll(cx) {
        Poll::Ready(left) => Poll::Ready(First::Left(left)),
        Poll::Pending => right.as_mut().poll(cx).map(First::Right),
    })
    .await
}

/// Waits until one of two futures ends.
pub(crate) async fn either(left: impl Future, right: impl Future) {
    race(left, right).await;
}
