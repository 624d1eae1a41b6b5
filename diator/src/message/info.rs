use serde::{Deserialize, Serialize};

use super::{Cause, MessageDescriptor};
use crate::broker::MessageType;
use crate::event::EventDescriptor;
use crate::location::Location;
use crate::request::{Expects, Mark, RequestDescriptor, RequestKind};

/// Describes a message before it is sent: its kind, its type and its handler.
///
/// # Guarantees
///
/// Each handler of each message has its own, which does not change after `build()`. `idempotent` is false for every
/// event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MessageInfo {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The message's name: for an event, the name on the wire.
    pub message: &'static str,
    /// The message's type, with its path.
    pub type_name: &'static str,
    /// The handler's type, with its path.
    pub handler: &'static str,
    /// Where the handler was declared; `None` for a handler that replaces another.
    pub location: Option<Location>,
    /// Whether the request may be handled twice.
    pub idempotent: bool,
    pub(super) marks: &'static [Mark],
    /// Which errors of the handler are answers.
    pub(crate) expects: Expects,
}

impl MessageInfo {
    /// What is known of the message of a handler.
    pub(crate) fn of(message: &MessageDescriptor, handler: &'static str, location: Option<Location>) -> Self {
        match message {
            MessageDescriptor::Request(request) => Self::of_request(request, handler, location),
            MessageDescriptor::Event(event) => Self::of_event(event, handler, location),
        }
    }

    pub(crate) fn of_request(request: &RequestDescriptor, handler: &'static str, location: Option<Location>) -> Self {
        Self {
            kind: request.kind.into(),
            message: request.message,
            type_name: (request.name)(),
            handler,
            location,
            idempotent: request.idempotent,
            marks: request.marks,
            expects: request.expects,
        }
    }

    fn of_event(event: &EventDescriptor, handler: &'static str, location: Option<Location>) -> Self {
        Self {
            kind: MessageKind::of_event(event.message_type),
            message: event.name,
            type_name: (event.type_name)(),
            handler,
            location,
            idempotent: false,
            marks: event.marks,
            expects: |_| false,
        }
    }

    /// Its handler, as the cause of what that emits and sends.
    pub(crate) fn cause(&self) -> Cause {
        let is_request = matches!(self.kind, MessageKind::Command | MessageKind::Query);
        Cause::new(self.type_name, (!is_request).then_some(self.handler))
    }

    /// Whether the message carries a mark of this type: `#[request(mark = Audited)]`.
    #[must_use]
    pub fn is_marked<M: 'static>(&self) -> bool {
        self.mark::<M>().is_some()
    }

    /// The message's mark of this type, with its value; the first, if it was given several.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::middleware::{Middleware, middleware_fn};
    /// use diator::prelude::*;
    ///
    /// /// How often a user may send it in a minute.
    /// struct RateLimit(u32);
    ///
    /// #[derive(Debug, Command)]
    /// #[request(mark = RateLimit(5))]
    /// struct SendInvitation;
    ///
    /// let limited = middleware_fn(|call, next| {
    ///     let limit = call.info().mark::<RateLimit>().map_or(u32::MAX, |limit| limit.0);
    ///     Box::pin(async move {
    ///         println!("at most {limit} of them");
    ///         next.run(call).await
    ///     })
    /// });
    /// let limited = limited.only(|info| info.is_marked::<RateLimit>());
    /// # let _ = limited;
    /// ```
    #[must_use]
    pub fn mark<M: 'static>(&self) -> Option<&'static M> {
        self.marks().next()
    }

    /// All of the message's marks of this type, in the order in which they were given.
    pub fn marks<M: 'static>(&self) -> impl Iterator<Item = &'static M> + use<M> {
        self.marks.iter().filter_map(|mark| mark.value.downcast_ref())
    }
}

/// The kinds of message.
///
/// The serialised form is [`as_str`](Self::as_str).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageKind {
    /// A request that changes something.
    Command,
    /// A request that reads.
    Query,
    /// An event that stays in the process.
    DomainEvent,
    /// An event that goes through the broker, with identifiers only.
    NotificationEvent,
    /// An event that goes through the broker, with its state.
    EcstEvent,
}

impl MessageKind {
    pub(crate) const fn of_event(message_type: Option<MessageType>) -> Self {
        match message_type {
            None => Self::DomainEvent,
            Some(MessageType::Notification) => Self::NotificationEvent,
            Some(MessageType::Ecst) => Self::EcstEvent,
        }
    }

    pub(crate) const fn of_request(kind: RequestKind) -> Self {
        match kind {
            RequestKind::Command => Self::Command,
            RequestKind::Query => Self::Query,
        }
    }

    /// The name of the kind, such as `command` or `domain_event`; it does not change.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
            Self::DomainEvent => "domain_event",
            Self::NotificationEvent => "notification_event",
            Self::EcstEvent => "ecst_event",
        }
    }
}

impl From<RequestKind> for MessageKind {
    fn from(kind: RequestKind) -> Self {
        Self::of_request(kind)
    }
}
