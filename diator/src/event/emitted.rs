use std::any::Any;
use std::fmt;

use crate::broker::{Format, MessageType, OutboundMessage};
use crate::middleware::MessageKind;
use crate::{BoxError, Meta};

/// An event on its way to its handlers or to the broker.
pub struct Emitted(Box<dyn Pending>);

impl Emitted {
    pub(super) fn new(pending: impl Pending + 'static) -> Self {
        Self(Box::new(pending))
    }

    pub(crate) fn pending(&self) -> &dyn Pending {
        &*self.0
    }
}

impl fmt::Debug for Emitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Emitted").field(&self.0.name()).finish()
    }
}

/// An emitted event, its type forgotten.
pub(crate) trait Pending: Send + Sync {
    fn name(&self) -> &'static str;

    fn event(&self) -> &(dyn Any + Send + Sync);

    /// The message that the broker gets; `None` for a domain event.
    fn message(&self, _format: &Format, _meta: &Meta) -> Option<Result<OutboundMessage, BoxError>> {
        None
    }

    /// Which sort of message the broker gets; `None` for a domain event.
    fn message_type(&self) -> Option<MessageType> {
        None
    }

    fn goes_to_the_broker(&self) -> bool {
        self.message_type().is_some()
    }
}

/// What an [`on_emitted`](crate::MediatorBuilder::on_emitted) hook learns of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmittedEvent {
    /// Which of the three kinds it is.
    pub kind: MessageKind,
    /// Its name: for a notification or ECST event, the one on the wire.
    pub name: &'static str,
}

impl EmittedEvent {
    pub(crate) fn new(message_type: Option<MessageType>, name: &'static str) -> Self {
        Self { kind: MessageKind::of_event(message_type), name }
    }
}
