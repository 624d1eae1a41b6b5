//! Delivers messages to their handlers.

mod after;
mod arriving;
mod builder;
mod cascade;
mod check;
mod dispatch;
mod emitted;
mod events;
mod finish;
mod install;
mod journey;
mod receive;
mod route;
mod running;
#[cfg(feature = "tower")]
mod service;
mod settling;
mod soon;
mod unit;
mod within;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Level, Span};

use crate::broker::{Format, MessageBroker, MessageType};
use crate::container::{Container, TypeMap};
use crate::event::EventKind;
use crate::meta::{HeaderCodec, PackedMeta};
use crate::middleware::fail;
use crate::outbox::Outbox;
use crate::undelivered::Undelivered;
use crate::wiring::{Observer, Parts, Wiring};
use crate::{Event, HandledBy, Meta, Request, SendError};

pub use self::builder::MediatorBuilder;
pub use self::cascade::{CascadeLimit, CascadeLimits};
pub use self::dispatch::Dispatch;
pub(crate) use self::dispatch::Run;
pub use self::emitted::EmittedEvent;
pub(crate) use self::install::Install;
pub use self::receive::{Arrival, HandlerFailure, ReceiveError, Received};
pub use self::route::send;
#[cfg(feature = "tower")]
pub use self::service::{RequestService, RequestServiceWithMeta};

use self::arriving::Arriving;
use self::dispatch::{Origin, answer, widen};
use self::events::EventRoute;
use self::running::Running;
use self::soon::Soon;
use self::unit::Unit;

/// Why an event that was emitted from outside a handler failed: there is no handler's own error.
pub type EmitError = SendError<Infallible>;

/// Delivers each message to its handler.
///
/// Build one with [`from_registry`](Self::from_registry) or [`builder`](Self::builder) when the program starts.
///
/// # Guarantees
///
/// A clone is the same mediator, and cheap. It may be used from any number of threads and tasks at once.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, Query)]
/// #[request(response = u64)]
/// struct Double(u64);
///
/// #[request_handler(Double)]
/// struct DoubleHandler;
///
/// impl RequestHandler<Double> for DoubleHandler {
///     async fn handle(&self, query: Double, _: &mut RequestContext<'_, Double>) -> Result<u64, BoxError> {
///         Ok(query.0 * 2)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let mediator = Mediator::builder().handlers(handlers![DoubleHandler]).build()?;
/// assert_eq!(mediator.send(Double(21)).await?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Mediator(Arc<Inner>);

type OnEmitted = dyn Fn(&EmittedEvent) + Send + Sync;
type OnUndelivered = dyn Fn(Undelivered) + Send + Sync;

pub(crate) struct Inner {
    // An `Arc<dyn Route<R>>` for each request `R`.
    routes: TypeMap<Box<dyn Any + Send + Sync>>,
    // The same routes with their handlers' types, by the numbers of their `SlotIndex`.
    slots: Box<[Option<Arc<dyn Any + Send + Sync>>]>,
    events: TypeMap<EventRoute>,
    names: HashMap<(MessageType, &'static str), TypeId>,
    arriving: Arriving,
    pub(crate) container: Arc<dyn Container>,
    broker: Option<Arc<dyn MessageBroker>>,
    outbox: Option<Arc<dyn Outbox>>,
    format: Format,
    // What of the meta travels with messages.
    headers: Vec<HeaderCodec>,
    cascade_limits: CascadeLimits,
    on_emitted: Option<Arc<OnEmitted>>,
    on_undelivered: Option<Arc<OnUndelivered>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    // What the mediator was built from, for those who ask.
    parts: Parts,
    messages: Running,
    // What goes on after the commit, although its sender may have gone.
    tasks: Running,
}

impl Mediator {
    /// Starts to build a mediator with every handler that is linked into the program.
    ///
    /// A crate that nothing names is not linked: see [`link!`](crate::link). On wasm and in static libraries nothing is
    /// registered at link time: see [`builder`](Self::builder).
    ///
    /// # Example
    ///
    /// ```standalone_crate
    /// let error = diator::Mediator::from_registry().build().unwrap_err();
    /// assert!(error.to_string().contains("no handler is registered"));
    /// ```
    pub fn from_registry() -> MediatorBuilder {
        MediatorBuilder::from_registry()
    }

    /// Starts to build a mediator with the handlers that are given by hand.
    pub fn builder() -> MediatorBuilder {
        MediatorBuilder::empty()
    }

    /// Sends a request to its handler, and waits for all that it causes in this process.
    ///
    /// It compiles where the request has exactly one handler. Use [`send_dyn`](Self::send_dyn) in code that
    /// must not see the handlers.
    ///
    /// # Guarantees
    ///
    /// Dropping the future before the commit begins undoes the message; once it has begun, commit and publishing go
    /// on in a task of their own. [Without a tokio runtime](crate#what-follows-a-commit-and-where-it-runs) they do not.
    ///
    /// # Errors
    ///
    /// Each variant of [`SendError`] says when it occurs.
    pub fn send<R, OneHandler>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send
    where
        R: HandledBy<OneHandler>, // cannot be inferred if there are two handlers: keep one
    {
        request.dispatch(Dispatch::new(self, PackedMeta::default()))
    }

    /// Sends a request whose handler this code does not see.
    ///
    /// # Guarantees
    ///
    /// As for [`send`](Self::send). It allocates once.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and [`SendError::Unhandled`].
    pub fn send_dyn<R: Request>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send {
        Dispatch::new(self, PackedMeta::default()).send_dyn(request)
    }

    /// Emits an event from outside a handler, in a unit of work of its own.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), without a handler's own error.
    pub fn emit<E: Event>(&self, event: E) -> impl Future<Output = Result<(), EmitError>> + Send {
        self.with(Meta::new()).emit(event)
    }

    /// Sends with what a message is to carry: ids, a trace, values of the program's own.
    #[must_use]
    pub fn with(&self, meta: Meta) -> MediatorWith<'_> {
        MediatorWith(Origin { mediator: self, meta })
    }

    /// What the mediator consists of: messages, handlers, dependencies, middleware, broker.
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        let Inner { parts, container, broker, format, outbox, .. } = &*self.0;
        parts.wiring(&**container, broker.as_deref(), format, outbox.is_some())
    }

    /// Takes no more messages, and waits for those that are running and for what follows their commits.
    ///
    /// It needs a tokio runtime with a timer. Calling it again waits again.
    ///
    /// A handler must not await it with a deadline: the shutdown would wait for that handler, and so for itself. A handler that
    /// ends the program calls it with [`Duration::ZERO`], which closes the mediator and waits for nothing, and tells `main`, which
    /// waits.
    ///
    /// # Guarantees
    ///
    /// It does not wait for itself in `after_commit` handlers, in handlers of events that arrive, and in all that these send: there
    /// it logs an error and answers at once, with [`ShutdownReport::from_within`]. In a handler of a request or a domain event
    /// that somebody sent from outside, in its middleware, and in a task that a handler spawned and awaits, it waits until the
    /// deadline, and then logs a warning: to notice it there would make every `send` slower.
    ///
    /// # Units
    ///
    /// `deadline` is how long it waits at most; zero asks only what is left.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.0.messages.close();
        if !deadline.is_zero() && self.is_polled_here() {
            tracing::error!(
                target: "diator",
                "a handler awaits the shutdown of its own mediator, which would wait for that handler: the shutdown waits for \
                 nothing; call it with `Duration::ZERO` there, and let `main` wait"
            );
            return self.left(true);
        }
        let all = async {
            // Messages first: a message that is running can still begin a task.
            self.0.messages.idle().await;
            self.0.tasks.close();
            self.0.tasks.idle().await;
        };
        match tokio::time::timeout(deadline, all).await {
            // Not counted anew: a message that is being refused may be among the counted for a moment.
            Ok(()) => ShutdownReport { messages: 0, tasks: 0, from_within: false },
            Err(_) => {
                let left = self.left(false);
                if !deadline.is_zero() {
                    warn_of_what_is_left(left);
                }
                left
            }
        }
    }

    fn left(&self, from_within: bool) -> ShutdownReport {
        ShutdownReport { messages: self.0.messages.count(), tasks: self.0.tasks.count(), from_within }
    }
}

fn warn_of_what_is_left(ShutdownReport { messages, tasks, .. }: ShutdownReport) {
    tracing::warn!(
        target: "diator",
        messages,
        tasks,
        "the deadline of a shutdown came before all was done; a handler that awaits the shutdown of its own mediator would be one \
         of those messages"
    );
}

impl Origin<'_> {
    // The meta is lent, and a success is written anew at the end: to move either costs more than most of the rest.
    async fn emit<E: Event>(&self, event: E) -> Result<(), EmitError> {
        let Some(_running) = Running::enter(self.mediator) else { return Err(SendError::ShuttingDown) };
        let mut unit = Unit::default();
        let mut handled = Ok(());
        match self.mediator.at_once::<E>() {
            Some(route) => {
                self.mediator.tell_emitted(|| EmittedEvent::new(None, E::NAME));
                unit.begin_with_event();
                handled = Run { origin: self, unit: &mut unit }.run_handlers(route, E::NAME, &event).await;
            }
            None => unit.emit(E::Kind::emitted(event), self.mediator.0.cascade_limits),
        }
        if unit.is_untouched() && handled.is_ok() {
            // There is nothing to drop, which the compiler cannot see.
            std::mem::forget(unit);
            return Ok(());
        }
        let run = Run { origin: self, unit: &mut unit };
        match run.end(handled.is_ok(), None) {
            Soon::Now(()) => handled.map_err(widen),
            Soon::Later(rest) => {
                let ended = rest.await;
                answer(handled.map_err(widen), ended)
            }
        }
    }
}

impl Mediator {
    #[inline]
    fn tell_emitted(&self, event: impl FnOnce() -> EmittedEvent) {
        if let Some(hook) = &self.0.on_emitted {
            hook(&event());
        }
    }

    /// The handlers of the event, if it need not outlive them.
    fn at_once<E: Event>(&self) -> Option<&EventRoute> {
        let stays = <E::Kind as EventKind<E>>::MESSAGE_TYPE.is_none();
        self.0.events.get(&TypeId::of::<E>()).filter(|route| stays && route.after_commit.is_empty())
    }
}

/// A mediator, and what the next message is to carry; made by [`Mediator::with`].
#[derive(Debug)]
pub struct MediatorWith<'a>(Origin<'a>);

impl<'a> MediatorWith<'a> {
    /// Sends a request, like [`Mediator::send`].
    ///
    /// # Errors
    ///
    /// As for [`Mediator::send`].
    pub fn send<R, OneHandler>(
        self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send + use<'a, R, OneHandler>
    where
        R: HandledBy<OneHandler>, // cannot be inferred if there are two handlers: keep one
    {
        request.dispatch(Dispatch::new(self.0.mediator, self.0.meta.into()))
    }

    /// Sends a request, like [`Mediator::send_dyn`].
    ///
    /// # Errors
    ///
    /// As for [`Mediator::send_dyn`].
    pub fn send_dyn<R: Request>(
        self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send + use<'a, R> {
        Dispatch::new(self.0.mediator, self.0.meta.into()).send_dyn(request)
    }

    /// Emits an event, like [`Mediator::emit`].
    ///
    /// # Errors
    ///
    /// As for [`Mediator::emit`].
    pub fn emit<E: Event>(self, event: E) -> impl Future<Output = Result<(), EmitError>> + Send + use<'a, E> {
        let Self(origin) = self;
        async move {
            // Asked before, because a span that is disabled can still have its ids drawn, for the crate `log`.
            if !tracing::enabled!(target: "diator", Level::INFO) {
                return origin.emit(event).await;
            }
            let span = span_of_emit(E::NAME, &origin.meta);
            // In a box, because else every frame would have room for it twice.
            let emitted = Box::pin(origin.emit(event).instrument(span.clone())).await;
            if let Err(error) = &emitted {
                fail(&span, error.kind().as_str());
            }
            emitted
        }
    }
}

fn span_of_emit(event: &'static str, meta: &Meta) -> Span {
    tracing::info_span!(
        target: "diator",
        "emit",
        diator.message = event,
        messaging.operation.name = "emit",
        messaging.message.id = %meta.message_id(),
        messaging.message.conversation_id = %meta.correlation_id(),
        diator.causation_id = meta.causation_id().map(display),
        traceparent = meta.traceparent(),
        otel.status_code = Empty,
        error.type = Empty,
    )
}

/// What a shutdown had to leave behind when its deadline came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Messages whose senders still wait for them.
    pub messages: usize,
    /// Units of work that are still committing or publishing.
    pub tasks: usize,
    /// Whether a handler of the same mediator awaited the shutdown, which therefore waited for nothing.
    pub from_within: bool,
}

impl ShutdownReport {
    /// Whether everything came to its end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.messages == 0 && self.tasks == 0 && !self.from_within
    }
}

impl fmt::Debug for Mediator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mediator")
            .field("requests", &self.0.routes.len())
            .field("events", &self.0.events.len())
            .finish_non_exhaustive()
    }
}
