//! The three kinds of event, and what becomes of one that is emitted.

mod domain;
mod ecst;
mod emitted;
mod notification;
mod schema;
mod wire;

use std::any::{Any, TypeId, type_name};

use serde_json::Value;

use crate::Mark;
use crate::broker::{DecodeError, MessageType};
use crate::location::Location;

pub use self::domain::{Domain, DomainEvent};
pub use self::ecst::{Ecst, EcstEvent};
pub use self::emitted::Emitted;
pub(crate) use self::emitted::Pending;
pub use self::notification::{Notification, NotificationEvent};
pub use self::schema::EventSchema;

/// Something that happened.
///
/// Derive [`DomainEvent`](macro@crate::DomainEvent), [`NotificationEvent`](macro@crate::NotificationEvent) or
/// [`EcstEvent`](macro@crate::EcstEvent) instead of writing it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "put `#[derive(DomainEvent)]`, `#[derive(NotificationEvent)]` or `#[derive(EcstEvent)]` on `{Self}`; \
            a command or a query is sent, not emitted"
)]
pub trait Event: Sized + Send + Sync + 'static {
    /// [`Domain`], [`Notification`] or [`Ecst`].
    type Kind: EventKind<Self>;

    /// The name on the wire; a rename of the type changes it, unless `#[event(name = "…")]` fixes it.
    const NAME: &'static str;
    /// Where a broker publishes it, unless the driver has a place of its own for it.
    const TOPIC: Option<&'static str> = None;
    /// Other names under which it is accepted when it arrives.
    const ALIASES: &'static [&'static str] = &[];
    /// Whether `build()` insists on a handler for this domain event.
    const MUST_BE_HANDLED: bool = false;
    /// The form of its fields, for the [wiring](crate::wiring): `#[event(schema)]`.
    const SCHEMA: Option<EventSchema> = None;
    /// What it tells middleware: `#[event(mark = …)]`.
    const MARKS: &'static [Mark] = &[];
    /// The field that [`key`](Self::key) reads, for the [wiring](crate::wiring): `#[event(key = order_id)]`.
    const KEY: Option<&'static str> = None;

    /// What the event is about: brokers that can, keep events with one key in order.
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

/// Reads an event from the payload of a message.
#[doc(hidden)]
pub type Decode = fn(Value) -> Result<Box<dyn Any + Send + Sync>, DecodeError>;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Domain {}
    impl Sealed for super::Notification {}
    impl Sealed for super::Ecst {}
}

/// An event that the registry knows, whether or not anyone handles it.
#[derive(Clone, Copy, Debug)]
pub struct EventDescriptor {
    pub(crate) id: fn() -> TypeId,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) topic: Option<&'static str>,
    pub(crate) message_type: Option<MessageType>,
    pub(crate) must_be_handled: bool,
    pub(crate) marks: &'static [Mark],
    pub(crate) key: Option<&'static str>,
    pub(crate) schema: Option<EventSchema>,
    pub(crate) location: Location,
    /// How it is read when it arrives; only handlers know that it can be.
    pub(crate) decode: Option<Decode>,
}

impl EventDescriptor {
    /// Describes `E`, declared at `location`.
    #[must_use]
    pub const fn of<E: Event>(location: Location) -> Self {
        Self {
            id: TypeId::of::<E>,
            type_name: type_name::<E>,
            name: E::NAME,
            aliases: E::ALIASES,
            topic: E::TOPIC,
            message_type: <E::Kind as EventKind<E>>::MESSAGE_TYPE,
            must_be_handled: E::MUST_BE_HANDLED,
            marks: E::MARKS,
            key: E::KEY,
            schema: E::SCHEMA,
            location,
            decode: None,
        }
    }

    /// Describes `E` as one that is handled, by a handler at `location`.
    pub(crate) const fn handled<E: Event>(location: Location) -> Self
    where
        E::Kind: Receive<E>,
    {
        Self { decode: <E::Kind as Receive<E>>::DECODE, ..Self::of::<E>(location) }
    }
}

inventory::collect!(EventDescriptor);
