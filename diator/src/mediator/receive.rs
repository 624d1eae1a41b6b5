use std::any::TypeId;
use std::error::Error;
use std::fmt;

use tracing::Instrument;
use tracing::field::Empty;

use super::Mediator;
use super::events::EventRoute;
use super::running::Running;
use super::unit::Lineage;
use crate::BoxError;
use crate::broker::{DecodeError, InboundMessage, MessageType};
use crate::middleware::fail;
use crate::{Meta, SendError, shown};

/// What became of a message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Every handler of the event succeeded.
    Handled,
    /// The event is known, but nothing here handles it.
    Ignored,
}

/// Why a message that arrived was not handled.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No event of that kind and name is known here. A retry does not help.
    Unknown {
        /// The kind that the message names.
        message_type: MessageType,
        /// The name that the message gives, escaped and shortened.
        name: String,
    },
    /// The payload, or a registered header, does not fit. A retry does not help.
    Undecodable {
        /// The name that the message gives, escaped and shortened.
        name: String,
        /// What was wrong.
        source: DecodeError,
    },
    /// Some handlers failed; the others are done. A retry can help.
    Handlers(Vec<HandlerFailure>),
    /// The mediator takes no more messages. Another process can handle it.
    ShuttingDown,
}

/// A handler that failed on a message that arrived.
#[derive(Debug)]
#[non_exhaustive]
pub struct HandlerFailure {
    /// The handler's type, with its path: who has to get the message again.
    pub handler: &'static str,
    /// Why, and whether its work is committed nevertheless.
    pub error: SendError<BoxError>,
}

impl Mediator {
    /// Handles a message that a broker delivered.
    ///
    /// The event is found by its kind and its name or an alias. Each of its handlers runs in a unit of work of its
    /// own, through the middleware; one that fails does not stop the others. The handlers' meta carries the message's id,
    /// correlation id and trace.
    ///
    /// # Errors
    ///
    /// Each variant of [`ReceiveError`] says when it occurs.
    pub async fn receive(&self, message: InboundMessage) -> Result<Received, ReceiveError> {
        let _running = Running::enter(self).ok_or(ReceiveError::ShuttingDown)?;
        let Some(event) = self.event_named(message.message_type, &message.name) else {
            let name = shown::name(&message.name);
            return Err(ReceiveError::Unknown { message_type: message.message_type, name });
        };
        let name = shown::name(&message.name);
        let meta = match message.headers.read_into(meta_of(&message), &self.0.headers) {
            Ok(meta) => meta,
            Err(source) => return Err(ReceiveError::Undecodable { name, source }),
        };
        match self.0.events.get(&event) {
            Some(route) => {
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
                let received = self.receive_by(route, message, &meta).instrument(span.clone()).await;
                if let Err(error) = &received {
                    fail(&span, error.as_str());
                }
                received
            }
            None => Ok(Received::Ignored),
        }
    }

    fn event_named(&self, message_type: MessageType, name: &str) -> Option<TypeId> {
        self.0.names.get(&(message_type, name)).copied()
    }

    async fn receive_by(
        &self,
        route: &EventRoute,
        message: InboundMessage,
        meta: &Meta,
    ) -> Result<Received, ReceiveError> {
        let Some(decode) = route.decode else { return Ok(Received::Ignored) };
        let event = decode(message.payload)
            .map_err(|source| ReceiveError::Undecodable { name: shown::name(&message.name), source })?;
        let mut failures = Vec::new();
        for entry in route.handlers.iter().chain(&route.after_commit) {
            if let Err(error) = self.handle_apart(entry, &*event, meta.clone(), Lineage::default()).await {
                failures.push(HandlerFailure { handler: entry.name, error });
            }
        }
        match failures.is_empty() {
            true => Ok(Received::Handled),
            false => Err(ReceiveError::Handlers(failures)),
        }
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
                let names: Vec<_> = failures.iter().map(|failure| failure.handler).collect();
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
