use std::fmt;

use super::{Answered, Call, MessageInfo, Middleware, Next};
use crate::BoxFuture;

/// A middleware for some messages only; made by [`Middleware::only`].
#[derive(Clone, Copy)]
pub struct Only<M, F> {
    middleware: M,
    applies_to: F,
}

impl<M, F> Only<M, F> {
    pub(super) fn new(middleware: M, applies_to: F) -> Self {
        Self { middleware, applies_to }
    }
}

impl<M, F> Middleware for Only<M, F>
where
    M: Middleware,
    F: Fn(&MessageInfo) -> bool + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.middleware.name()
    }

    fn applies_to(&self, info: &MessageInfo) -> bool {
        self.middleware.applies_to(info) && (self.applies_to)(info)
    }

    fn is_active(&self) -> bool {
        self.middleware.is_active()
    }

    // As `async_trait` writes it, but with the inner one's box alone.
    fn handle<'s, 'a, 'c, 'n, 'f>(&'s self, call: &'a mut Call<'c>, next: Next<'n>) -> BoxFuture<'f, Answered>
    where
        's: 'f,
        'a: 'f,
        'c: 'f,
        'n: 'f,
        Self: 'f,
    {
        self.middleware.handle(call, next)
    }
}

impl<M: Middleware, F> fmt::Debug for Only<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Only").field(&self.middleware.name()).finish()
    }
}
