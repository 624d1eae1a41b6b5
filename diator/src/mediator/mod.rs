//! Delivers messages to their handlers.
//!
//! The stages of a message, in their order; all but the first is compiled once, without type parameters.
//!
//! | stage | file | what can go wrong there |
//! |---|---|---|
//! | a request is sent, its type is forgotten, its handler is found | `route` | `Unhandled`, `ShuttingDown` |
//! | or an event is emitted from outside, or arrives | `emit`, `receive` | `ShuttingDown`; `ReceiveError` |
//! | middleware, attempts, nested requests | `invocation` | `Rejected`, `WrongAnswer`, `Cascade`, `Scope` |
//! | the handler is built | `build_handler` | `Resolve` |
//! | the handler is called; it emits, and sends further requests | `handler::functions`, `events`, `execution` | `Handler` |
//! | domain events, the outbox, the begin of the commit | `before_commit` | `Event`, `Cascade`, `Encode`, `NoBroker`, `NoOutbox`, `Stage`, `RolledBack` |
//! | the commit is seen through | `commit` | `Commit` |
//! | what follows it: publishing, `after_commit` handlers | `after_commit` | `Undelivered` |
//!
//! `check_scopes` builds what a message would have, without a message.
//!
//! What the stages share: `execution` is what a handler works with, `unit_state` is its unit of work, and they answer with a `MaybeReady`;
//! `within` marks what runs, and [`InFlight`] counts it. `in_place` is a shorter way from `route` to `before_commit`, for the feature of that
//! name, and the one file that is written for the compiler more than for its reader.

mod after_commit;
mod arriving;
mod before_commit;
mod build_handler;
mod check_scopes;
mod commit;
mod emit;
mod emitted;
mod enter;
mod events;
mod execution;
#[cfg(feature = "in-place")]
mod in_place;
mod invocation;
mod receive;
mod route;
mod unit_state;
mod within;

use std::any::TypeId;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Format, HeaderCodec, InMemoryBroker, MessageBroker, MessageType};
use crate::cascade::CascadeLimits;
use crate::container::{Container, TypeMap};
use crate::deliveries::DeliveryStore;
use crate::event::CanWait;
use crate::in_flight::InFlight;
use crate::inbox::Inbox;
use crate::meta::PackedMeta;
use crate::outbox::Outbox;
use crate::undelivered::Undelivered;
use crate::wiring::{Observer, Parts, Wiring};
use crate::{Event, HandledBy, Meta, Request, SendError};

pub(crate) use self::arriving::Arriving;
pub(crate) use self::build_handler::Factory;
pub use self::emitted::EmittedEvent;
pub use self::enter::Handling;
pub(crate) use self::events::{EventEntry, EventHandlers};
#[cfg(feature = "in-place")]
pub(crate) use self::in_place::place;
pub(crate) use self::invocation::Invocation;
pub use self::receive::{Arrival, HandlerFailure, ReceiveError, Received};
pub(crate) use self::route::{Handler, RequestRoute};

use self::execution::MessageEnv;
use self::route::send;

/// The error of [`Mediator::emit`]: a [`SendError`] in which no handler's own error can be.
pub type EmitError = SendError<Infallible>;

/// Delivers each message to its handler.
///
/// Build one with [`from_registry`](Self::from_registry) or [`builder`](Self::builder) when the program starts.
///
/// # Guarantees
///
/// A clone is cheap, and is the same mediator. Any number of threads and tasks may use it at once.
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
pub struct Mediator(pub(crate) Arc<Inner>);

pub(crate) type OnEmitted = dyn Fn(&EmittedEvent) + Send + Sync;
pub(crate) type OnUndelivered = dyn Fn(Undelivered) + Send + Sync;

pub(crate) struct Inner {
    pub(crate) routes: TypeMap<Arc<RequestRoute>>,
    // The same routes, by the numbers of their `SlotIndex`.
    #[cfg(feature = "in-place")]
    pub(crate) slots: Box<[Option<Arc<RequestRoute>>]>,
    pub(crate) events: TypeMap<EventHandlers>,
    pub(crate) names: HashMap<(MessageType, &'static str), TypeId>,
    pub(crate) arriving: Arriving,
    pub(crate) container: Arc<dyn Container>,
    pub(crate) broker: Option<Arc<dyn MessageBroker>>,
    pub(crate) outbox: Option<Arc<dyn Outbox>>,
    pub(crate) inbox: Option<Arc<dyn Inbox>>,
    pub(crate) relayed_elsewhere: bool,
    pub(crate) format: Format,
    // What of the meta travels with messages.
    pub(crate) headers: Vec<HeaderCodec>,
    /// The program's name, which its messages carry.
    pub(crate) sender: Option<String>,
    pub(crate) cascade_limits: CascadeLimits,
    pub(crate) on_emitted: Option<Arc<OnEmitted>>,
    pub(crate) on_undelivered: Option<Arc<OnUndelivered>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    // What the mediator was built from, for those who ask.
    pub(crate) parts: Parts,
    pub(crate) messages: InFlight,
    // What goes on after the commit, although its sender may have gone.
    pub(crate) tasks: InFlight,
}

impl Mediator {
    /// Sends a request to its handler, and waits for everything that the request causes in this process.
    ///
    /// The call compiles only where the request has exactly one handler. Use [`send_dyn`](Self::send_dyn) in code that
    /// must not see the handlers.
    ///
    /// # Guarantees
    ///
    /// - Dropping the future before the commit begins undoes the message.
    /// - Once the commit has begun, dropping the future stops neither the commit nor the publishing: a task finishes
    ///   both. [Without a tokio runtime](crate#what-follows-a-commit-and-where-it-runs) there is no such task, and
    ///   dropping the future cuts them short.
    /// - A future that is held and not polled holds up its transaction, the commit included.
    ///
    /// # Errors
    ///
    /// Each variant of [`SendError`] says when it occurs.
    pub fn send<R, RemoveOneOfTheTwoHandlers>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send
    where
        R: HandledBy<RemoveOneOfTheTwoHandlers>, // cannot be inferred if there are two handlers
    {
        send_to::<R, RemoveOneOfTheTwoHandlers>(self, PackedMeta::default(), request)
    }

    /// Sends a request whose handler this code does not see.
    ///
    /// # Guarantees
    ///
    /// Those of [`send`](Self::send). The call allocates once.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and [`SendError::Unhandled`].
    pub fn send_dyn<R: Request>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send {
        send(self, PackedMeta::default(), request)
    }

    /// Emits an event from outside a handler, in a unit of work of its own.
    ///
    /// # Guarantees
    ///
    /// - The call waits for the handlers of a domain event and all that they cause, or for the broker's answer to the
    ///   message of a notification or ECST event. A domain event without handlers is `Ok`.
    /// - Middleware sees each handler of the event, and not the event itself.
    /// - Dropping the future does what it does for [`send`](Self::send). Nothing happens before the future is polled.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::prelude::*;
    ///
    /// #[derive(Debug, DomainEvent)]
    /// struct DoorOpened;
    ///
    /// #[event_handler(DoorOpened)]
    /// struct Refuse;
    ///
    /// impl EventHandler<DoorOpened> for Refuse {
    ///     async fn handle(&self, _: &DoorOpened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
    ///         Err("it is night".into())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let mediator = Mediator::builder().handlers(handlers![Refuse]).build()?;
    /// let error = mediator.emit(DoorOpened).await.unwrap_err();
    /// assert!(matches!(error, diator::SendError::Event { event: "DoorOpened", .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), without a handler's own error.
    pub fn emit<E: Event>(&self, event: E) -> impl Future<Output = Result<(), EmitError>> + Send {
        self.with(Meta::new()).emit(event)
    }

    /// Emits a notification or ECST event that a relay publishes when the delay is over, or later.
    ///
    /// # Guarantees
    ///
    /// Those of [`RequestContext::emit_after`](crate::RequestContext::emit_after), in a unit of work of its own.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit), and [`SendError::NoOutbox`].
    pub fn emit_after<E>(&self, delay: Duration, event: E) -> impl Future<Output = Result<(), EmitError>> + Send
    where
        E: Event + CanWait<<E as Event>::Kind>,
    {
        self.with(Meta::new()).emit_after(delay, event)
    }

    /// Gives the next message its [`Meta`]: ids, a trace, values of the program's own.
    ///
    /// A `Meta` belongs to one message. Two messages with clones of one `Meta` have the same id: make a new one for
    /// each message, and give the messages of one conversation the same correlation id.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::Meta;
    ///
    /// # use diator::prelude::*;
    /// # #[derive(Debug, Query)]
    /// # #[request(response = Option<&'static str>)]
    /// # struct WhoAsks;
    /// # #[request_handler(WhoAsks)]
    /// # struct WhoAsksHandler;
    /// struct User(&'static str);
    ///
    /// # impl RequestHandler<WhoAsks> for WhoAsksHandler {
    /// async fn handle(&self, _: WhoAsks, cx: &mut RequestContext<'_, WhoAsks>) -> Result<Option<&'static str>, BoxError> {
    ///     Ok(cx.meta().get::<User>().map(|user| user.0))
    /// }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let mediator = Mediator::builder().handlers(handlers![WhoAsksHandler]).build()?;
    /// assert_eq!(mediator.with(Meta::new().with(User("ada"))).send(WhoAsks).await?, Some("ada"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with(&self, meta: Meta) -> MediatorWith<'_> {
        MediatorWith(MessageEnv { mediator: self, meta })
    }

    /// Where its endpoints keep what they cannot handle now, for a test host.
    #[doc(hidden)]
    #[must_use]
    pub fn deliveries(&self) -> Option<Arc<dyn DeliveryStore>> {
        self.0.inbox.as_ref()?.deliveries()
    }

    /// Lists the parts of the mediator: messages, handlers, dependencies, middleware, broker.
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        let Inner { parts, container, broker, format, outbox, .. } = &*self.0;
        parts.wiring(&**container, broker.as_deref(), format, outbox.is_some())
    }

    /// Whether it publishes to another broker in memory than this one; a broker that hides what it wraps is none.
    #[doc(hidden)]
    #[must_use]
    pub fn publishes_elsewhere(&self, broker: &InMemoryBroker) -> bool {
        let own = self.0.broker.as_ref().and_then(MessageBroker::identity);
        own.is_some() && own != broker.identity()
    }

    /// Stops taking messages, and waits for the running messages and for what follows their commits.
    ///
    /// The call needs a tokio runtime with a timer. A second call waits again.
    ///
    /// A handler must not await the shutdown of its own mediator with a deadline: the shutdown would wait for that
    /// handler, and so for itself. A handler that wants to end the program must call `shutdown` with
    /// [`Duration::ZERO`], which closes the mediator and waits for nothing. It must then notify `main`, which waits.
    ///
    /// # Guarantees
    ///
    /// A shutdown that a handler or a middleware awaits, or anything that these cause, does not wait for itself: it
    /// logs an error and returns at once, with [`ShutdownReport::from_within`]. It cannot detect two callers: a task
    /// that a handler spawned and awaits, and, with the feature `in-place`, the handler of a request that is called in
    /// place. With these it waits until the deadline, and then logs a warning.
    ///
    /// # Units
    ///
    /// `deadline` is the longest time that the call waits; with zero it only counts what is left.
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
        "the deadline of a shutdown passed before all was done; a handler that awaits the shutdown of its own mediator would be one \
         of those messages"
    );
}

/// Sends a request whose handler the compiler knows.
#[cfg(not(feature = "in-place"))]
fn send_to<'a, R, RemoveOneOfTheTwoHandlers>(
    mediator: &'a Mediator,
    meta: PackedMeta,
    request: R,
) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send + use<'a, R, RemoveOneOfTheTwoHandlers>
where
    R: HandledBy<RemoveOneOfTheTwoHandlers>,
{
    send(mediator, meta, request)
}

#[cfg(feature = "in-place")]
use self::in_place::send_to;

impl AsRef<InFlight> for Mediator {
    fn as_ref(&self) -> &InFlight {
        &self.0.messages
    }
}

impl Mediator {
    #[cfg(feature = "tower")]
    pub(crate) fn is_closed(&self) -> bool {
        self.0.messages.is_closed()
    }

    #[inline]
    fn tell_emitted(&self, event: impl FnOnce() -> EmittedEvent) {
        if let Some(hook) = &self.0.on_emitted {
            hook(&event());
        }
    }
}

/// A mediator, and the [`Meta`] of its next message; [`Mediator::with`] makes it.
#[derive(Debug)]
pub struct MediatorWith<'a>(MessageEnv<'a>);

impl<'a> MediatorWith<'a> {
    /// Sends a request, like [`Mediator::send`].
    ///
    /// # Errors
    ///
    /// Those of [`Mediator::send`].
    pub fn send<R, RemoveOneOfTheTwoHandlers>(
        self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send + use<'a, R, RemoveOneOfTheTwoHandlers>
    where
        R: HandledBy<RemoveOneOfTheTwoHandlers>, // cannot be inferred if there are two handlers
    {
        send_to::<R, RemoveOneOfTheTwoHandlers>(self.0.mediator, self.0.meta.into(), request)
    }

    /// Sends a request, like [`Mediator::send_dyn`].
    ///
    /// # Errors
    ///
    /// Those of [`Mediator::send_dyn`].
    pub fn send_dyn<R: Request>(
        self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, SendError<R::Error>>> + Send + use<'a, R> {
        send(self.0.mediator, self.0.meta.into(), request)
    }

    /// Emits an event, like [`Mediator::emit`].
    ///
    /// # Errors
    ///
    /// Those of [`Mediator::emit`].
    pub fn emit<E: Event>(self, event: E) -> impl Future<Output = Result<(), EmitError>> + Send + use<'a, E> {
        emit::emit(self.0, event)
    }

    /// Emits an event for later, like [`Mediator::emit_after`].
    ///
    /// # Errors
    ///
    /// Those of [`Mediator::emit_after`].
    pub fn emit_after<E>(
        self,
        delay: Duration,
        event: E,
    ) -> impl Future<Output = Result<(), EmitError>> + Send + use<'a, E>
    where
        E: Event + CanWait<<E as Event>::Kind>,
    {
        emit::emit_after(self.0, delay, event)
    }
}

/// The work that a shutdown left behind at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The number of messages whose senders still wait for them.
    pub messages: usize,
    /// The number of units of work that are still committing or publishing.
    pub tasks: usize,
    /// Whether a handler of the same mediator awaited the shutdown, which therefore waited for nothing.
    pub from_within: bool,
}

impl ShutdownReport {
    /// Whether no work was left behind.
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
