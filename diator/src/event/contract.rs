use std::any::Any;

use serde_json::Value;

use super::wire::WireKind;
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
/// - An event is not a [`Request`](crate::Request): it needs no handler, and nobody answers it.
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
    message = "`{Self}` is not an event: a command or a query is sent with `send`, and handled with `#[request_handler({Self})]`",
    label = "not an event",
    note = "if `{Self}` is to be an event, put `#[derive(DomainEvent)]`, `#[derive(NotificationEvent)]` or `#[derive(EcstEvent)]` on it"
)]
pub trait Event: Sized + Send + Sync + 'static + WrittenAs<<Self as Event>::Kind> {
    /// [`Domain`](super::Domain), [`Notification`](super::Notification) or [`Ecst`](super::Ecst).
    type Kind: EventKind;

    /// The name on the wire; a rename of the type changes it, unless `#[event(name = "…")]` fixes it.
    ///
    /// A consumer finds the event by this name. After a change of the name, keep the old one as an
    /// [alias](Self::ALIASES) for as long as messages with the old name are under way.
    const NAME: &'static str;
    /// The place where a broker publishes the event, unless the driver is configured with another place for it.
    const TOPIC: Option<&'static str> = None;
    /// Other names under which the event is accepted when it arrives.
    const ALIASES: &'static [&'static str] = &[];
    /// Whether `build()` insists on a handler for this domain event.
    ///
    /// If it is false, a domain event without handlers is dropped, with a log line at the level `DEBUG`.
    const MUST_BE_HANDLED: bool = false;
    /// The schema of the event's fields, for the [wiring](crate::wiring): `#[event(schema)]`.
    const SCHEMA: Option<EventSchema> = None;
    /// The marks that middleware reads: `#[event(mark = …)]`.
    const MARKS: &'static [Mark] = &[];
    /// The field that [`key`](Self::key) reads, for the [wiring](crate::wiring): `#[event(key = order_id)]`.
    const KEY: Option<&'static str> = None;

    /// The subject of the event: a broker that can do so keeps events with one key in order.
    ///
    /// The mediator asks for the key once for each message, before the commit.
    /// [`Guarantees`](crate::broker::Guarantees) tells whether a broker keeps the order.
    #[must_use]
    fn key(&self) -> Option<String> {
        None
    }
}

/// The kind of an event, which decides where the event goes.
pub trait EventKind: sealed::Sealed + 'static {
    /// How the kind is written on the wire; `None` for domain events, which stay in the process.
    const MESSAGE_TYPE: Option<MessageType>;
}

/// What an event must be able to do for its kind `K`: one for the broker is `Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` goes to the message broker, so it needs `#[derive(serde::Serialize)]`, and if it is generic, `T: serde::Serialize`",
    label = "not serializable",
    note = "if the derive is there, a type parameter of the event lacks its bound: `<T: serde::Serialize>`",
    note = "`serde` has to stand in the `Cargo.toml`, with its feature `derive`"
)]
pub trait WrittenAs<K> {
    #[doc(hidden)]
    fn __diator_emitted(self) -> Emitted;
}

/// What a handler needs of an event of the kind `K`: one that arrives must be readable.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has a handler, and arrives from the message broker, so it needs `#[derive(serde::Deserialize)]`",
    label = "not deserializable",
    note = "handlers of notification and ECST events run for what arrives"
)]
pub trait ReceivedAs<K> {
    #[doc(hidden)]
    const DECODE: Option<Decode>;
}

/// An event whose kind `K` an outbox can hold back: a notification or ECST event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a domain event, and cannot be emitted for later: emit a notification or ECST event",
    label = "not an event that an outbox keeps",
    note = "a domain event is handled within the unit of work that emits it; react to the other event when it arrives"
)]
pub trait CanWait<K> {}

#[diagnostic::do_not_recommend]
impl<K: WireKind, E: Event<Kind = K>> CanWait<K> for E {}

/// Reads an event from the payload of a message.
#[doc(hidden)]
pub type Decode = fn(Value) -> Result<Box<dyn Any + Send + Sync>, DecodeError>;

pub(super) mod sealed {
    pub trait Sealed {}
}
