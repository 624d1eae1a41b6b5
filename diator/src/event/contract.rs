use std::any::Any;

use serde_json::Value;

use super::{Emitted, EventSchema};
use crate::Mark;
use crate::broker::{DecodeError, MessageType};

/// Something that happened.
///
/// Derive [`DomainEvent`](macro@crate::DomainEvent), [`NotificationEvent`](macro@crate::NotificationEvent) or
/// [`EcstEvent`](macro@crate::EcstEvent) instead of writing it by hand.
///
/// # Guarantees
///
/// - Nothing clones an event: all its handlers get it by reference.
/// - An event is no [`Request`](crate::Request): nobody has to handle it, and nobody answers it.
/// - Two notification events must not share a name or an alias, and neither must two ECST events: `build()` reports those that it
///   knows.
///
/// # Example
///
/// ```
/// use diator::prelude::*;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize, EcstEvent)]
/// #[event(name = "order_placed", topic = "orders", key = order_id)]
/// struct OrderPlaced { order_id: u64 }
///
/// assert_eq!((OrderPlaced::NAME, OrderPlaced::TOPIC), ("order_placed", Some("orders")));
/// assert_eq!(OrderPlaced { order_id: 7 }.key().as_deref(), Some("7"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "put `#[derive(DomainEvent)]`, `#[derive(NotificationEvent)]` or `#[derive(EcstEvent)]` on `{Self}`; \
            a command or a query is sent, not emitted"
)]
pub trait Event: Sized + Send + Sync + 'static {
    /// [`Domain`](super::Domain), [`Notification`](super::Notification) or [`Ecst`](super::Ecst).
    type Kind: EventKind<Self>;

    /// The name on the wire; a rename of the type changes it, unless `#[event(name = "…")]` fixes it.
    ///
    /// A consumer finds the event by it: a new name needs an [alias](Self::ALIASES) of the old one for as long as messages of
    /// that are under way.
    const NAME: &'static str;
    /// Where a broker publishes it, unless the driver has a place of its own for it.
    const TOPIC: Option<&'static str> = None;
    /// Other names under which it is accepted when it arrives.
    const ALIASES: &'static [&'static str] = &[];
    /// Whether `build()` insists on a handler for this domain event.
    ///
    /// Without it, a domain event that nobody handles is dropped, and `tracing` learns of it at the level `DEBUG`.
    const MUST_BE_HANDLED: bool = false;
    /// The form of its fields, for the [wiring](crate::wiring): `#[event(schema)]`.
    const SCHEMA: Option<EventSchema> = None;
    /// What it tells middleware: `#[event(mark = …)]`.
    const MARKS: &'static [Mark] = &[];
    /// The field that [`key`](Self::key) reads, for the [wiring](crate::wiring): `#[event(key = order_id)]`.
    const KEY: Option<&'static str> = None;

    /// What the event is about: brokers that can, keep events with one key in order.
    ///
    /// The mediator asks for it once for each message, before the commit. [`Guarantees`](crate::broker::Guarantees) tell whether
    /// a broker keeps the order.
    #[must_use]
    fn key(&self) -> Option<String> {
        None
    }
}

/// What an event's kind means for it: where it goes, and what the event must be able to do for that.
#[diagnostic::on_unimplemented(
    message = "`{E}` goes to the message broker, but cannot be written as a message",
    label = "not serializable",
    note = "put `#[derive(serde::Serialize)]` on it; `serde` has to stand in the `Cargo.toml`, with its feature `derive`"
)]
pub trait EventKind<E>: sealed::Sealed + 'static {
    /// How the kind is written on the wire; `None` for domain events, which stay in the process.
    const MESSAGE_TYPE: Option<MessageType>;

    #[doc(hidden)]
    fn emitted(event: E) -> Emitted;
}

/// What a handler of the event needs: an event that arrives must be readable.
#[diagnostic::on_unimplemented(
    message = "`{E}` has a handler, but cannot be read when it arrives",
    label = "not deserializable",
    note = "put `#[derive(serde::Deserialize)]` on it: handlers of notification and ECST events run for what arrives"
)]
pub trait Receive<E>: sealed::Sealed {
    #[doc(hidden)]
    const DECODE: Option<Decode>;
}

/// The kind of an event that an outbox can hold back: notification and ECST events.
#[diagnostic::on_unimplemented(
    message = "`{E}` is a domain event, and cannot be emitted for later",
    label = "not an event that an outbox keeps",
    note = "a domain event is handled within the unit of work that emits it: emit a notification or ECST event later, and react to \
            that when it arrives"
)]
pub trait CanWait<E>: sealed::Sealed {}

/// Reads an event from the payload of a message.
#[doc(hidden)]
pub type Decode = fn(Value) -> Result<Box<dyn Any + Send + Sync>, DecodeError>;

pub(super) mod sealed {
    pub trait Sealed {}
}
