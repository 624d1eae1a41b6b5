//! Panics: where one ends a message, and where it is caught because the rest must go on.
//!
//! | what panics | what becomes of it |
//! |---|---|
//! | the handler of a request, a middleware, a handler of a domain event | it unwinds through the future of `send`; the unit of work is dropped, and so rolls back |
//! | the handler of an event that arrives | caught: the failure of that handler alone (`mediator::after_commit`) |
//! | an `after_commit` handler | caught: the failure of that handler alone, in `Undelivered` |
//! | the commit | it unwinds in the sender, if that still waits; nobody knows the outcome (`mediator::commit`) |
//! | the broker, while it publishes | caught: its messages are ambiguous |
//! | the hook of `on_undelivered` | caught: the sender gets what the hook was given |

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::shown;

/// Awaits a future; a panic becomes an error. The future is not polled again after it.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// What a panic said, as of [`shown::text`]: it may quote what came from outside.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", shown::text(text.unwrap_or("no message")))
}
