use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Drops a future when it is to be polled once more than so many times; `Some` if it came to its end before that.
///
/// It is polled only when it is woken, so however long SQLite takes, there are few points at which it can be dropped.
pub(crate) async fn drop_after_wakes<F: Future>(mut polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}
