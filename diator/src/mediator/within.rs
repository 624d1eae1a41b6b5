//! Whether code runs within a handler of a mediator: if it waits for all handlers there, it waits for itself.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Inner, Mediator};

thread_local! {
    /// The mediator whose handler this thread is polling; of several within each other, the innermost.
    static POLLED: Cell<*const Inner> = const { Cell::new(ptr::null()) };
    /// Those around it, where a handler sends to a mediator from outside: to another one, or to its own that it has stored.
    static OUTER: RefCell<Vec<*const Inner>> = const { RefCell::new(Vec::new()) };
}

impl Mediator {
    /// Whether the caller is polled by a handler of this mediator.
    pub(super) fn is_polled_here(&self) -> bool {
        let this = Arc::as_ptr(&self.0);
        let is_outer = || OUTER.try_with(|outer| outer.borrow().contains(&this)).unwrap_or_default();
        ptr::eq(POLLED.get(), this) || is_outer()
    }

    /// Awaits what a handler of this mediator does, marked as that.
    #[inline]
    pub(super) fn within<'w, F: Future + ?Sized>(&'w self, handling: Pin<&'w mut F>) -> Within<'w, F> {
        Within { mediator: self, handling }
    }
}

/// A future that is marked while it is polled.
// In place it would be 35 instructions of 225: a request is not marked there.
pub(super) struct Within<'w, F: ?Sized> {
    mediator: &'w Mediator,
    handling: Pin<&'w mut F>,
}

impl<F: Future + ?Sized> Future for Within<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _polled = Polled::mark(Arc::as_ptr(&self.mediator.0));
        self.handling.as_mut().poll(cx)
    }
}

/// The mark on this thread; it goes when this is dropped, also by a panic.
struct Polled {
    outer: *const Inner,
}

impl Polled {
    #[inline(always)]
    fn mark(this: *const Inner) -> Self {
        let outer = POLLED.get();
        if !outer.is_null() {
            enter_inner(outer);
        }
        POLLED.set(this);
        Self { outer }
    }
}

impl Drop for Polled {
    #[inline(always)]
    fn drop(&mut self) {
        POLLED.set(self.outer);
        if !self.outer.is_null() {
            leave_inner();
        }
    }
}

#[cold]
fn enter_inner(outer: *const Inner) {
    // While the thread ends there are none: a handler may then be polled by a destructor.
    let _ending = OUTER.try_with(|outers| outers.borrow_mut().push(outer));
}

#[cold]
fn leave_inner() {
    let _ending = OUTER.try_with(|outers| outers.borrow_mut().pop());
}
