//! Whether code runs within a handler of a mediator: if it waits for all handlers there, it waits for itself.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::ptr;
use std::sync::Arc;

use super::{Inner, Mediator};

thread_local! {
    /// The mediators whose handlers this thread is polling, the innermost last.
    static POLLED: RefCell<Vec<*const Inner>> = const { RefCell::new(Vec::new()) };
}

impl Mediator {
    /// Whether the caller is polled by a handler that was marked by [`within`](Self::within).
    pub(super) fn is_polled_here(&self) -> bool {
        POLLED.with_borrow(|polled| polled.iter().any(|inner| ptr::eq(*inner, Arc::as_ptr(&self.0))))
    }

    /// Awaits a handler, marked as one of this mediator.
    // For handlers that have a unit of work of their own, which costs far more. For each of the others it would be 24
    // instructions and more, of the 225 that a `send` takes.
    pub(super) async fn within<F: Future>(&self, handling: F) -> F::Output {
        let mut handling = pin!(handling);
        poll_fn(|cx| {
            let _polled = Polled::enter(self);
            handling.as_mut().poll(cx)
        })
        .await
    }
}

/// The mark on this thread; it goes when this is dropped, also by a panic.
struct Polled;

impl Polled {
    fn enter(mediator: &Mediator) -> Self {
        POLLED.with_borrow_mut(|polled| polled.push(Arc::as_ptr(&mediator.0)));
        Self
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        POLLED.with_borrow_mut(Vec::pop);
    }
}
