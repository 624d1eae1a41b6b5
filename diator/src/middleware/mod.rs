//! What wraps the handling of every message.

mod call;
mod function;
mod gate;
mod next;
mod only;
mod retry;
mod timeout;
mod tracing;

use std::any::type_name;
use std::sync::Arc;

use async_trait::async_trait;

use crate::location::Location;

pub use self::call::{Answered, Call, Kept};
pub use self::function::{MiddlewareFn, middleware_fn};
pub(crate) use self::gate::{CommitGate, run_until};
pub use self::next::Next;
pub use self::only::Only;
pub use self::retry::RetryMiddleware;
pub use self::timeout::TimeoutMiddleware;
pub use self::tracing::TracingMiddleware;
pub(crate) use self::tracing::mark_span_failed;
pub use crate::error::TimedOut;
pub use crate::message::{MessageInfo, MessageKind};
pub use crate::retry_policy::RetryPolicy;

/// Wraps the handling of messages: requests, nested requests, each event handler, also of an event that arrived.
///
/// The middleware that was added first sees the message first. For a request from outside, `next` holds everything that
/// follows: the handler, the domain events, the commit, the publishing; for a nested request and for an event handler,
/// `next` holds only the handler.
///
/// # Guarantees
///
/// - Only `next`, [`Call::answer`] and [`Call::reject`] return an [`Answered`]: a middleware that forgets to answer
///   does not compile, and neither does a middleware that runs `next` twice.
/// - Dropping the future of `next` cancels what it wraps: a scope that is not yet committing rolls back. A commit that
///   has begun goes on, but nobody learns its outcome: to give a message up, use [`Next::run_until`], which waits for
///   the commit.
/// - A middleware that answers in place of an event's handler that failed, or was given up, skips that handler: nothing
///   that the handler did is kept. If the handler shares an open scope with the message that emitted the event, that
///   message ends as [`RolledBack`](crate::SendError::RolledBack).
///
/// # Example
///
/// A small middleware can be a function: [`middleware_fn`].
///
/// ```
/// use diator::middleware::{Call, Answered, Middleware, Next};
///
/// struct Log;
///
/// #[diator::async_trait]
/// impl Middleware for Log {
///     async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
///         let handled = next.run(call).await;
///         match call.error() {
///             None => println!("{}: done", call.info().message),
///             Some(error) => println!("{}: {error}", call.info().message),
///         }
///         handled
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware: a function becomes one with `middleware_fn`, a `Result` needs a `?`, a type \
               `impl Middleware`",
    label = "`diator::Middleware` is not implemented for it",
    note = "an `async fn` becomes one with `middleware_fn(|call, next| Box::pin(log(call, next)))`, a type with \
            `#[diator::async_trait] impl diator::Middleware for …`; a tower layer goes around \
            `mediator.service::<Request, _>()`"
)]
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// The name that errors show; by default the middleware's type.
    fn name(&self) -> &'static str {
        type_name::<Self>()
    }

    /// Whether the middleware wraps such messages; `build()` asks once for each handler.
    fn applies_to(&self, info: &MessageInfo) -> bool {
        let _ = info;
        true
    }

    /// Whether the middleware has anything to do at present; asked before each message, which otherwise skips the
    /// middleware at no cost.
    fn is_active(&self) -> bool {
        true
    }

    /// Handles the message, usually by running `next`.
    async fn handle(
        &self, // lifetimes do not match? put `#[diator::async_trait]` on the `impl`
        call: &mut Call<'_>,
        next: Next<'_>,
    ) -> Answered;

    /// Restricts the middleware to the messages for which both its own [`applies_to`](Self::applies_to) and the given
    /// one hold.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use diator::middleware::{MessageKind, Middleware, TimeoutMiddleware};
    ///
    /// let timeout = TimeoutMiddleware::new(Duration::from_secs(2))?.only(|info| info.kind == MessageKind::Query);
    /// assert_eq!(timeout.name(), "diator::middleware::timeout::TimeoutMiddleware");
    /// # Ok::<_, diator::BoxError>(())
    /// ```
    fn only<F>(self, applies_to: F) -> Only<Self, F>
    where
        Self: Sized,
        F: Fn(&MessageInfo) -> bool + Send + Sync + 'static,
    {
        Only::new(self, applies_to)
    }
}

macro_rules! pointers {
    ($($pointer:ident)*) => {
        $(
            #[async_trait]
            impl<M: Middleware + ?Sized> Middleware for $pointer<M> {
                fn name(&self) -> &'static str {
                    (**self).name()
                }

                fn is_active(&self) -> bool {
                    (**self).is_active()
                }

                fn applies_to(&self, info: &MessageInfo) -> bool {
                    (**self).applies_to(info)
                }

                async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
                    (**self).handle(call, next).await
                }
            }
        )*
    };
}

pointers!(Arc Box);

/// A middleware, its name, and where it was added.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) location: Location,
    pub(crate) middleware: Arc<dyn Middleware>,
}

impl Layer {
    #[track_caller]
    pub(crate) fn new<M: Middleware>(middleware: M) -> Self {
        Self { name: middleware.name(), location: Location::caller(), middleware: Arc::new(middleware) }
    }
}

/// The middlewares that apply to one handler of one message.
pub(crate) struct Pipeline {
    pub(crate) info: MessageInfo,
    pub(crate) layers: Arc<[Layer]>,
}

impl Pipeline {
    pub(crate) fn new(info: MessageInfo, layers: &[Layer]) -> Self {
        let layers = layers.iter().filter(|layer| layer.middleware.applies_to(&info)).cloned().collect();
        Self { info, layers }
    }

    /// Whether nothing wraps the handler at present.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        // Without a call where there is no middleware.
        self.layers.is_empty() || all_idle(&self.layers)
    }

    /// The first middleware from this place on that has anything to do, and its place.
    #[inline]
    fn first_active(&self, mut place: usize) -> Option<(usize, &Layer)> {
        loop {
            let layer = self.layers.get(place)?;
            if layer.middleware.is_active() {
                return Some((place, layer));
            }
            place += 1;
        }
    }

    /// The name of the first middleware that a message meets.
    pub(crate) fn outermost(&self) -> &'static str {
        self.holder(self.layers.len().min(1))
    }

    /// The name of the middleware that holds a call at this place.
    fn holder(&self, place: usize) -> &'static str {
        self.layers[..place].last().map_or("", |layer| layer.name)
    }
}

/// Whether no middleware has anything to do at present.
fn all_idle(layers: &[Layer]) -> bool {
    !layers.iter().any(|layer| layer.middleware.is_active())
}
