use std::any::type_name;
use std::fmt;

use super::{Answered, Call, Middleware, Next};
use crate::BoxFuture;

/// Turns a function or a closure into a middleware.
///
/// The function returns a boxed future: `Box::pin(async move { … })`. Call an `async fn` within a closure:
/// `|call, next| Box::pin(log(call, next))`. Write the closure within the call, where the compiler knows its arguments,
/// and clone the closure's state for each message. [`Middleware::only`] restricts it to some messages.
///
/// Errors name it after the function in which it was made; [`MiddlewareFn::named`] gives it a name of its own.
///
/// # Example
///
/// ```
/// use diator::middleware::{Middleware, middleware_fn};
///
/// let audit = middleware_fn(|call, next| Box::pin(async move {
///     println!("{}", call.info().message);
///     next.run(call).await
/// }));
/// assert_eq!(audit.named("audit").name(), "audit");
/// ```
///
/// A middleware with state, which calls an `async fn`:
///
/// ```
/// use std::sync::Arc;
/// use diator::middleware::{Call, Answered, Next, middleware_fn};
/// use tokio::sync::Semaphore;
///
/// async fn limit(permits: Arc<Semaphore>, call: &mut Call<'_>, next: Next<'_>) -> Answered {
///     match permits.try_acquire() {
///         Ok(_permit) => next.run(call).await,
///         Err(_) => call.reject("there is too much to do"),
///     }
/// }
///
/// let permits = Arc::new(Semaphore::new(8));
/// let limited = middleware_fn(move |call, next| Box::pin(limit(permits.clone(), call, next))).named("limit");
/// # let _ = limited;
/// ```
pub fn middleware_fn<F>(function: F) -> MiddlewareFn<F>
where
    F: for<'a, 'c> Fn(&'a mut Call<'c>, Next<'a>) -> BoxFuture<'a, Answered> + Send + Sync + 'static,
{
    MiddlewareFn { name: type_name::<F>().trim_end_matches("::{{closure}}"), function }
}

/// A function as middleware; made by [`middleware_fn`].
#[derive(Clone, Copy)]
pub struct MiddlewareFn<F> {
    name: &'static str,
    function: F,
}

impl<F> MiddlewareFn<F> {
    /// Sets the name that errors show.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

impl<F> Middleware for MiddlewareFn<F>
where
    F: for<'a, 'c> Fn(&'a mut Call<'c>, Next<'a>) -> BoxFuture<'a, Answered> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    // As `async_trait` writes it: the function's future is boxed already.
    fn handle<'s, 'a, 'c, 'n, 'f>(&'s self, call: &'a mut Call<'c>, next: Next<'n>) -> BoxFuture<'f, Answered>
    where
        's: 'f,
        'a: 'f,
        'c: 'f,
        'n: 'f,
        Self: 'f,
    {
        (self.function)(call, next)
    }
}

impl<F> fmt::Debug for MiddlewareFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MiddlewareFn").field(&self.name).finish()
    }
}
