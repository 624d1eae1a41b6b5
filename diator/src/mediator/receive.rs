use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::Mediator;
use super::enter::{Entering, Handling};
use super::events::{EventEntry, EventHandlers};
use super::unit_state::Lineage;
use crate::broker::{DecodeError, InboundMessage, MessageType};
use crate::cascade::CascadeLimit;
use crate::in_flight::InFlight;
use crate::inbox::Entry;
use crate::middleware::{CommitGate, mark_span_failed};
use crate::registry::HandlerId;
use crate::{BoxError, Meta, SendError, shown};

/// How a message that arrived was dealt with, if nothing failed.
///
/// A consumer must acknowledge the message after either variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Every handler of the event succeeded.
    Handled,
    /// The event is known, but has no handler in this process: its payload was not read.
    Ignored,
}

/// Why a message that arrived was not handled.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No event of that kind and name is known in this process. A retry does not help.
    Unknown {
        /// The kind that the message names.
        message_type: MessageType,
        /// The name that the message gives, escaped and shortened.
        name: String,
    },
    /// The payload or a registered header cannot be decoded. A retry does not help.
    Undecodable {
        /// The name that the message gives, escaped and shortened.
        name: String,
        /// The reason.
        source: DecodeError,
    },
    /// At least one handler failed; all others are done. A retry can help: an [`Arrival`] can retry only the handlers
    /// that failed.
    Handlers(Vec<HandlerFailure>),
    /// The mediator takes no more messages. Another process can handle this one.
    ShuttingDown,
}

/// A handler that failed on a message that arrived.
#[derive(Debug, thiserror::Error)]
#[error("the handler `{id}` failed")]
#[non_exhaustive]
pub struct HandlerFailure {
    /// The handler's id, with which [`Arrival::handle`] tries it again.
    pub id: HandlerId,
    /// The handler's type, with its path.
    pub handler: &'static str,
    /// Why the handler failed, and whether its work is committed nevertheless.
    #[source]
    pub error: SendError<BoxError>,
}

/// A message that arrived, with its event decoded: the consumer runs each handler by itself.
///
/// [`Mediator::arrive`] makes it. A consumer that retries only the handlers that failed keeps it, and calls each
/// handler by its id, any number of times.
///
/// # Guarantees
///
/// - Each call of [`handle`](Self::handle) is a unit of work of its own. A handler's panic is a failure of that handler.
/// - An `Arrival` keeps no record of what was handled: a handler that is called again handles the event again. The
///   consumer must know which handlers are done, or must call [`handle_once`](Self::handle_once) on a mediator with an
///   inbox.
/// - Calls may come from several tasks at once. A call whose future is dropped before its commit begins is undone.
/// - An `Arrival` holds the mediator, but does not hold up its shutdown.
///
/// # Example
///
/// ```
/// use diator::InboundMessage;
/// use diator::prelude::*;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
/// struct OrderPlaced;
///
/// #[event_handler(OrderPlaced, id = "billing.charge")]
/// struct Charge;
///
/// impl EventHandler<OrderPlaced> for Charge {
///     async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let mediator = Mediator::builder().handlers(handlers![Charge]).without_broker().build()?;
/// let body = br#"{"message_type": "notification_event", "message_name": "OrderPlaced",
///     "message_id": "82a0b10e-1b3d-4c3c-9bdd-3934f8f824c2", "payload": {}}"#;
/// let arrival = mediator.arrive(InboundMessage::decode(body, None, [])?)?;
/// for handler in arrival.handlers() {
///     assert_eq!(handler.as_str(), "billing.charge");
///     arrival.handle(handler).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Arrival {
    mediator: Mediator,
    event_type: TypeId,
    /// `None` where nothing handles it, and so nothing has read it.
    event: Option<Box<dyn Any + Send + Sync>>,
    handlers: Vec<HandlerId>,
    meta: Meta,
    span: Span,
}

impl Mediator {
    /// Decodes a message that a broker delivered, so that its handlers can handle it one by one.
    ///
    /// The mediator finds the event by its kind, and by its name or an alias. The handlers' meta has the message's id,
    /// correlation id, trace and registered headers.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Unknown`] and [`ReceiveError::Undecodable`].
    pub fn arrive(&self, message: InboundMessage) -> Result<Arrival, ReceiveError> {
        let name = shown::name(&message.name);
        let Some(event_type) = self.event_named(message.message_type, &message.name) else {
            return Err(ReceiveError::Unknown { message_type: message.message_type, name });
        };
        let undecodable = |source| ReceiveError::Undecodable { name: name.clone(), source };
        let meta = message.headers.read_into(meta_of(&message), &self.0.headers).map_err(undecodable)?;
        let span = tracing::info_span!(
            target: "diator",
            "receive",
            diator.message = name,
            messaging.operation.name = "receive",
            messaging.message.id = %message.id,
            messaging.message.conversation_id = %meta.correlation_id(),
            diator.causation_id = meta.causation_id().map(display),
            traceparent = meta.traceparent(),
            otel.status_code = Empty,
            error.type = Empty,
        );
        let route = self.0.events.get(&event_type);
        let decode = route.and_then(|route| route.decode);
        let event = decode.map(|decode| decode(message.payload)).transpose().map_err(|source| {
            let error = undecodable(source);
            mark_span_failed(&span, error.as_str());
            error
        })?;
        let handlers = route.into_iter().flat_map(EventHandlers::all).map(|entry| entry.id).collect();
        Ok(Arrival { mediator: self.clone(), event_type, event, handlers, meta, span })
    }

    /// Handles a message that a broker delivered.
    ///
    /// The message [arrives](Self::arrive), and its handlers run one after the other, in their order. A handler that
    /// fails or panics does not stop the others.
    ///
    /// # Guarantees
    ///
    /// - Each handler has a unit of work of its own: the work of a handler that succeeded stays committed, whatever the
    ///   others do.
    /// - A message that is received again is handled again, by all its handlers. To avoid that, a handler must
    ///   recognise the message's id, or the consumer must keep an [`Arrival`].
    /// - If the future is dropped, the handlers that have not begun do not run. The running handler is undone, unless
    ///   its commit has begun.
    ///
    /// # Errors
    ///
    /// Each variant of [`ReceiveError`] says when it occurs.
    pub async fn receive(&self, message: InboundMessage) -> Result<Received, ReceiveError> {
        let _running = InFlight::enter(self).ok_or(ReceiveError::ShuttingDown)?;
        let arrival = self.arrive(message)?;
        let mut failures = Vec::new();
        for id in arrival.handlers() {
            failures.extend(arrival.handle_by(id, None, &CommitGate::default()).await.err());
        }
        match (arrival.handlers.is_empty(), failures.is_empty()) {
            (true, _) => Ok(Received::Ignored),
            (false, true) => Ok(Received::Handled),
            (false, false) => {
                let error = ReceiveError::Handlers(failures);
                mark_span_failed(&arrival.span, error.as_str());
                Err(error)
            }
        }
    }

    fn event_named(&self, message_type: MessageType, name: &str) -> Option<TypeId> {
        self.0.names.get(&(message_type, name)).copied()
    }
}

impl Arrival {
    /// The handlers of the event, in the order in which [`Mediator::receive`] runs them.
    #[must_use]
    pub fn handlers(&self) -> &[HandlerId] {
        &self.handlers
    }

    /// The message's ids, trace and registered headers.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Lets one handler handle the event, in a unit of work of its own.
    ///
    /// # Errors
    ///
    /// The handler failed or panicked; [`SendError::ShuttingDown`] if the mediator takes no more messages;
    /// [`SendError::Unhandled`] if the event has no such handler.
    pub async fn handle(&self, handler: &HandlerId) -> Result<(), HandlerFailure> {
        let handled = self.handle_until(handler, &CommitGate::default()).await;
        handled.inspect_err(|failure| self.mark_failed(failure.error.kind().as_str()))
    }

    /// As [`handle`](Self::handle), without a mark on the span; the gate says when the commit has begun.
    pub(crate) async fn handle_until(&self, handler: &HandlerId, gate: &CommitGate) -> Result<(), HandlerFailure> {
        self.handle_counted(handler, None, gate).await.map(drop)
    }

    /// Lets one handler handle the event, unless it has done so before.
    ///
    /// The mediator's [inbox](crate::MediatorBuilder::inbox) recognises a message by the names of endpoint and handler,
    /// the id of the message, and the generation. Without an inbox, this is [`handle`](Self::handle).
    ///
    /// # Guarantees
    ///
    /// - The handler's writes in its unit of work, its events included, are committed once for each such entry, within
    ///   the inbox's [retention](crate::Inbox::retention).
    /// - With [`Handling::Before`] and [`Handling::Busy`], neither the handler nor its middleware has run.
    ///
    /// # Units
    ///
    /// `generation` is 0 for a message that an engine delivers, and higher for a replay that an operator asks for. A
    /// message older than the inbox's retention may be handled again: the caller must put it aside, as an
    /// [`Endpoint`](crate::endpoint::Endpoint) does.
    ///
    /// # Errors
    ///
    /// Those of [`handle`](Self::handle); [`SendError::Enter`] if the inbox failed, and the handler therefore did not
    /// run.
    pub async fn handle_once(
        &self,
        handler: &HandlerId,
        endpoint: &str,
        generation: u32,
    ) -> Result<Handling, HandlerFailure> {
        let entry = Entry::new(endpoint, handler.as_str(), self.meta.message_id()).with_generation(generation);
        let handled = self.handle_entered(handler, entry, &CommitGate::default()).await;
        handled.inspect_err(|failure| self.mark_failed(failure.error.kind().as_str()))
    }

    /// As [`handle_once`](Self::handle_once), without a mark on the span, and with an entry of the caller's; the gate says when the commit has
    /// begun.
    pub(crate) async fn handle_entered(
        &self,
        handler: &HandlerId,
        entry: Entry<'_>,
        gate: &CommitGate,
    ) -> Result<Handling, HandlerFailure> {
        let entering = self.mediator.0.inbox.as_deref().map(|inbox| Entering { inbox, entry });
        self.handle_counted(handler, entering, gate).await
    }

    async fn handle_counted(
        &self,
        handler: &HandlerId,
        entering: Option<Entering<'_>>,
        gate: &CommitGate,
    ) -> Result<Handling, HandlerFailure> {
        let failure = |error| HandlerFailure { id: *handler, handler: self.type_of(handler), error };
        let _running = InFlight::enter(&self.mediator).ok_or_else(|| failure(SendError::ShuttingDown))?;
        self.handle_by(handler, entering, gate).await
    }

    /// Shows in the span of the message that it has failed. Whoever may try again says so only when the message is given up.
    pub(crate) fn mark_failed(&self, error_type: &'static str) {
        mark_span_failed(&self.span, error_type);
    }

    async fn handle_by(
        &self,
        handler: &HandlerId,
        entering: Option<Entering<'_>>,
        gate: &CommitGate,
    ) -> Result<Handling, HandlerFailure> {
        let failure = |error| HandlerFailure { id: *handler, handler: self.type_of(handler), error };
        let (Some(event), Some(entry)) = (&self.event, self.entry(handler)) else {
            return Err(failure(SendError::Unhandled { request: handler.as_str() }));
        };
        let limit = self.mediator.0.cascade_limits.depth;
        if limit == 0 {
            let (message, limit) = (entry.pipeline.info.message, CascadeLimit::Depth(limit));
            return Err(failure(SendError::Cascade { message, limit }));
        }
        let (meta, lineage) = (self.meta.clone(), Lineage::arriving());
        let handling = self.mediator.handle_apart(entry, &**event, meta, lineage, entering, gate);
        handling.instrument(self.span.clone()).await.map_err(failure)
    }

    /// The event, if its type is `E` and it has a handler in this process.
    #[doc(hidden)]
    #[must_use]
    pub fn event<E: 'static>(&self) -> Option<&E> {
        self.event.as_ref()?.downcast_ref()
    }

    /// The event's type.
    pub(crate) fn event_type(&self) -> TypeId {
        self.event_type
    }

    fn entry(&self, handler: &HandlerId) -> Option<&EventEntry> {
        self.mediator.0.events.get(&self.event_type)?.all().find(|entry| entry.id == *handler)
    }

    fn type_of(&self, handler: &HandlerId) -> &'static str {
        self.entry(handler).map_or(handler.as_str(), |entry| entry.name)
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival").field("handlers", &self.handlers).field("meta", &self.meta).finish_non_exhaustive()
    }
}

fn meta_of(message: &InboundMessage) -> Meta {
    let mut meta =
        Meta::new().with_message_id(message.id).with_correlation_id(message.correlation_id.unwrap_or(message.id));
    if let Some(id) = message.causation_id {
        meta = meta.with_causation_id(id);
    }
    match &message.traceparent {
        Some(traceparent) => meta.with_traceparent(&**traceparent),
        None => meta,
    }
}

impl ReceiveError {
    /// Whether the same message can succeed when it is received again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Handlers(_) | Self::ShuttingDown)
    }

    /// The name of the variant, for a trace.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown",
            Self::Undecodable { .. } => "undecodable",
            Self::Handlers(_) => "handlers",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { message_type, name } => write!(f, "no {message_type} named `{name}` is known here"),
            Self::Undecodable { name, .. } => write!(f, "the message `{name}` cannot be read"),
            Self::Handlers(failures) => {
                let names: Vec<_> = failures.iter().map(|failure| failure.id.as_str()).collect();
                write!(f, "the message arrived, but these handlers failed: {}", names.join(", "))
            }
            Self::ShuttingDown => f.write_str("the mediator is shutting down"),
        }
    }
}

impl Error for ReceiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Undecodable { source, .. } => Some(source),
            Self::Handlers(failures) => failures.first().map(|failure| &failure.error as _),
            Self::Unknown { .. } | Self::ShuttingDown => None,
        }
    }
}
