//! Handlers, what they work with, and what the compiler writes for each of them.

mod context;
mod engine;
mod functions;
#[cfg(feature = "in-place")]
mod in_place;
mod reply;

use crate::{BoxError, Event, Request};

pub use self::context::{EventContext, RequestContext};
pub(crate) use self::engine::{Engine, EngineRef};
pub(crate) use self::functions::{AnyValue, Attach, EventResult, HandleEvent, RequestFunctions, attach};
#[cfg(feature = "in-place")]
pub use self::in_place::{Dispatch, SlotIndex};
pub(crate) use self::reply::{AnyReply, EventReplied, Replied, Reply, ReplyView, sent};

/// The result that the sender of a request gets.
pub type SendResult<R> = Result<<R as Request>::Response, crate::SendError<<R as Request>::Error>>;

/// Answers one kind of request.
///
/// Put [`#[request_handler(R)]`](macro@crate::request_handler) on the struct and write this `impl` with a plain
/// `async fn`. The mediator may build one handler for the whole program, so a handler must not keep state between
/// messages.
///
/// # Guarantees
///
/// - A request has exactly one handler. What the handler emits takes effect only if the handler succeeds. The handler
///   never runs twice for one message, unless a middleware retries a request that is marked idempotent.
/// - A handler that needs only singletons is built in `build()`, and handles many messages at once, on any thread.
///   Every other handler is built each time it runs.
/// - If the sender goes away, the handler's future is dropped at its current `await`, and what the handler did in its
///   scope rolls back.
/// - If the handler panics, the panic unwinds to the sender, and the scope rolls back; the mediator goes on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is annotated as the handler of `{R}`, but `impl RequestHandler<{R}> for {Self}` is missing",
    label = "not handled by `{Self}`",
    note = "write `impl RequestHandler<{R}> for {Self} {{ async fn handle(&self, request: {R}, cx: &mut RequestContext<'_, {R}>) -> Result<…, …> {{ … }} }}`"
)]
pub trait RequestHandler<R: Request>: Send + Sync + 'static {
    /// Does what the request asks for, and answers it.
    ///
    /// # Errors
    ///
    /// The request's own error; the caller gets it as [`SendError::Handler`](crate::SendError::Handler). The unit of work rolls
    /// back, and the events are dropped. For a nested request see [`RequestContext::send`].
    fn handle(
        &self, // lifetimes do not match? remove `#[async_trait]` from the `impl`
        request: R,
        cx: &mut RequestContext<'_, R>,
    ) -> impl Future<Output = Result<R::Response, R::Error>> + Send; // `#[request(response = …, error = …)]`
}

/// Reacts to one kind of event.
///
/// Put [`#[event_handler(E)]`](macro@crate::event_handler) on the struct and write this `impl` with a plain
/// `async fn`. An event may have any number of handlers.
///
/// # Guarantees
///
/// | the event | when it is handled | unit of work | an error or a panic |
/// |---|---|---|---|
/// | a domain event | after the handler that emitted it, before the commit | that of the message | an error fails the message; a panic passes to its sender |
/// | a domain event, `after_commit` | after the commit, while the broker gets the messages | its own | is in [`Undelivered`](crate::Undelivered); the others go on |
/// | a notification or ECST event | when it arrives, not where this process publishes it | its own | is in [`ReceiveError::Handlers`](crate::ReceiveError::Handlers); the others go on |
///
/// - The handlers of one event run one after the other: those of lower `order` first, equal ones by the path of their type.
/// - A handler that needs nothing but singletons is built once, and handles events of several messages at once, on any thread.
/// - A message can arrive more than once: a handler of a notification or ECST event must expect that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is annotated as a handler of `{E}`, but `impl EventHandler<{E}> for {Self}` is missing",
    label = "not handled by `{Self}`",
    note = "write `impl EventHandler<{E}> for {Self} {{ async fn handle(&self, event: &{E}, cx: &mut EventContext<'_>) -> Result<(), BoxError> {{ … }} }}`"
)]
pub trait EventHandler<E: Event>: Send + Sync + 'static {
    /// Reacts to the event.
    ///
    /// # Errors
    ///
    /// Any error. The error of a handler of a domain event fails the message that caused the event; the table above
    /// says what it does elsewhere.
    fn handle(
        &self, // lifetimes do not match? remove `#[async_trait]` from the `impl`
        event: &E,
        cx: &mut EventContext<'_>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Proves that a request has a handler, so that [`Mediator::send`](crate::Mediator::send) compiles.
///
/// [`#[request_handler(R)]`](macro@crate::request_handler) implements it for the request, with a marker `M` that is
/// named after the handler. In generic code declare the marker too, `fn f<R: HandledBy<M>, M>(…)`, or use
/// [`send_dyn`](crate::Mediator::send_dyn).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent here: call `emit` if it is an event; a request needs a visible `#[request_handler({Self})]`; \
               generic code needs `<R: diator::HandledBy<M>, M>`, or `send_dyn`",
    label = "not a request with a visible handler",
    note = "if its handler is in another crate, name that crate once: `use that_crate as _;` or `diator::link!(that_crate);`",
    note = "if there is none yet, put `#[request_handler({Self})]` on a struct that implements `RequestHandler<{Self}>`",
    note = "in generic code, or where handlers must not be seen, declare `<R: diator::HandledBy<M>, M>` or call `send_dyn`"
)]
pub trait HandledBy<M>: Request {
    #[cfg(feature = "in-place")]
    #[doc(hidden)]
    fn __diator_slot() -> &'static SlotIndex;

    #[cfg(feature = "in-place")]
    #[doc(hidden)]
    fn __diator_dispatch(self, dispatch: impl Dispatch) -> impl Future<Output = SendResult<Self>> + Send;
}

/// Where requests are not sent in place, `HandledBy` is a proof alone.
#[cfg(not(feature = "in-place"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __in_place {
    ($($way:tt)*) => {};
}
