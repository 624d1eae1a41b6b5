use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::BoxFuture;

/// The future of what is mostly there at once, and then needs no box.
///
/// No `async fn`, because the compiler walks through the futures within a future, and would do so for each handler.
pub(super) enum Soon<'a, T> {
    Ready(Ready<T>),
    Pending(BoxFuture<'a, T>),
}

impl<T> Soon<'_, T> {
    pub(super) fn now(output: T) -> Self {
        Self::Ready(ready(output))
    }
}

impl<T> Future for Soon<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.get_mut() {
            Self::Ready(output) => Pin::new(output).poll(cx),
            Self::Pending(future) => future.as_mut().poll(cx),
        }
    }
}
