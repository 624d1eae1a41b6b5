//! Futures that run at the same time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::BoxFuture;

/// Runs futures at the same time, in one task; the results come in the order of the futures.
pub(crate) async fn join_all<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, result) in futures.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(cx) {
                *result = Some(ready);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// Runs three futures at the same time, in one task.
pub(crate) async fn join<A: Future, B: Future, C: Future>(
    one: A,
    two: B,
    three: C,
) -> (A::Output, B::Output, C::Output) {
    let (mut one, mut two, mut three) = (pin!(one), pin!(two), pin!(three));
    let mut results = (None, None, None);
    poll_fn(|cx| {
        advance(one.as_mut(), &mut results.0, cx);
        advance(two.as_mut(), &mut results.1, cx);
        advance(three.as_mut(), &mut results.2, cx);
        match (results.0.take(), results.1.take(), results.2.take()) {
            (Some(one), Some(two), Some(three)) => Poll::Ready((one, two, three)),
            some => {
                results = some;
                Poll::Pending
            }
        }
    })
    .await
}

/// Polls a future, unless it has ended.
fn advance<F: Future>(future: Pin<&mut F>, result: &mut Option<F::Output>, cx: &mut Context<'_>) {
    if result.is_none()
        && let Poll::Ready(ready) = future.poll(cx)
    {
        *result = Some(ready);
    }
}
