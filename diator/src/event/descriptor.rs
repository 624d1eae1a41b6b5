use std::any::{TypeId, type_name};

use super::{Decode, Event, EventKind, EventSchema, ReceivedAs};
use crate::Mark;
use crate::broker::MessageType;
use crate::location::Location;

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
            message_type: <E::Kind as EventKind>::MESSAGE_TYPE,
            must_be_handled: E::MUST_BE_HANDLED,
            marks: E::MARKS,
            key: E::KEY,
            schema: E::SCHEMA,
            location,
            decode: None,
        }
    }

    /// Describes `E` as one that is handled, by a handler at `location`.
    pub(crate) const fn handled<E>(location: Location) -> Self
    where
        E: Event + ReceivedAs<<E as Event>::Kind>,
    {
        Self { decode: <E as ReceivedAs<E::Kind>>::DECODE, ..Self::of::<E>(location) }
    }
}

inventory::collect!(EventDescriptor);
