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

/// What the sender of a request gets.
pub type SendResult<R> = Result<<R as Request>::Response, crate::SendError<<R as Request>::Error>>;

/// Answers one kind of request.
///
/// Put [`#[request_handler(R)]`](macro@crate::request_handler) on the struct and write this `impl` with a plain
/// `async fn`. A handler may be built once for the whole program, so it keeps nothing between messages.
///
/// # Guarantees
///
/// A request has exactly one handler. What the handler emits happens only if it succeeds. It is never run twice for one
/// message, unless a middleware retries a request that is marked idempotent.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is annotated as the handler of `{R}`, but does not handle it",
    label = "`impl RequestHandler<{R}> for {Self}` is missing",
    note = "write `impl RequestHandler<{R}> for {Self} {{ async fn handle(&self, request: {R}, cx: &mut RequestContext<'_, {R}>) -> Result<…, …> {{ … }} }}`"
)]
pub trait RequestHandler<R: Request>: Send + Sync + 'static {
    /// Does what the request asks for, and answers it.
    ///
    /// # Errors
    ///
    /// The request's own error; the caller gets it as [`SendError::Handler`](crate::SendError::Handler).
    fn handle(
        &self,
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
/// A handler of a domain event runs within the unit of work of the request that emitted it. A handler of a notification
/// or ECST event runs for events that arrive from the broker, not for those that this process publishes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is annotated as a handler of `{E}`, but does not handle it",
    label = "`impl EventHandler<{E}> for {Self}` is missing",
    note = "write `impl EventHandler<{E}> for {Self} {{ async fn handle(&self, event: &{E}, cx: &mut EventContext<'_>) -> Result<(), BoxError> {{ … }} }}`"
)]
pub trait EventHandler<E: Event>: Send + Sync + 'static {
    /// Reacts to the event.
    ///
    /// # Errors
    ///
    /// Any error; for a domain event it fails the message that caused the event.
    fn handle(&self, event: &E, cx: &mut EventContext<'_>) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// The proof that a request has a handler: what lets [`Mediator::send`](crate::Mediator::send) compile.
///
/// [`#[request_handler(R)]`](macro@crate::request_handler) implements it for the request, with a marker `M` whose
/// name tells which handler it is. In generic code declare the marker too, `fn f<R: HandledBy<M>, M>(…)`, or use
/// [`send_dyn`](crate::Mediator::send_dyn).
#[diagnostic::on_unimplemented(
    message = "no handler for request `{Self}`",
    label = "no `#[request_handler({Self})]` is visible here",
    note = "if its handler is in another crate, name that crate once: `use that_crate as _;` or `diator::link!(that_crate);`",
    note = "if there is none yet, put `#[request_handler({Self})]` on a struct that implements `RequestHandler<{Self}>`",
    note = "in generic code, or where handlers must not be seen, declare `<R: diator::HandledBy<M>, M>` or call `send_dyn`",
    note = "if `{Self}` is an event, it is not sent but emitted: call `emit`"
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
