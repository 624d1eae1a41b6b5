use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::broker::{Format, Headers, MessageType, OutboundMessage};
use crate::{BoxError, Meta};

/// An event on its way to its handlers or to the broker.
pub struct Emitted(Box<dyn Pending>);

impl Emitted {
    pub(super) fn new(pending: impl Pending + 'static) -> Self {
        Self(Box::new(pending))
    }

    /// Holds the event back in the outbox for so long.
    pub(crate) fn after(self, delay: Duration) -> Self {
        Self::new(Delayed { event: self, delay })
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
    fn message(&self, _format: &Format, _meta: &Meta, _headers: &Headers) -> Option<Result<OutboundMessage, BoxError>> {
        None
    }

    /// Which sort of message the broker gets; `None` for a domain event.
    fn message_type(&self) -> Option<MessageType> {
        None
    }

    /// How long the outbox holds it back, if it does.
    fn delay(&self) -> Option<Duration> {
        None
    }

    fn goes_to_the_broker(&self) -> bool {
        self.message_type().is_some()
    }
}

/// An event for later.
// A box more, so that an event for now has no place for a delay.
struct Delayed {
    event: Emitted,
    delay: Duration,
}

impl Pending for Delayed {
    fn name(&self) -> &'static str {
        self.event.pending().name()
    }

    fn event(&self) -> &(dyn Any + Send + Sync) {
        self.event.pending().event()
    }

    fn message(&self, format: &Format, meta: &Meta, headers: &Headers) -> Option<Result<OutboundMessage, BoxError>> {
        self.event.pending().message(format, meta, headers)
    }

    fn message_type(&self) -> Option<MessageType> {
        self.event.pending().message_type()
    }

    fn delay(&self) -> Option<Duration> {
        Some(self.delay)
    }
}
