use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::{OnTheWire, decode};
use super::{Decode, Emitted, Event, EventKind, Receive};
use crate::broker::MessageType;

/// The kind of an event that carries the new state: event-carried state transfer.
#[derive(Debug)]
pub enum Ecst {}

/// An event that goes to the message broker and carries all that its readers need.
pub trait EcstEvent: Event<Kind = Ecst> {}

impl<E: Event<Kind = Ecst>> EcstEvent for E {}

// So that the error speaks of the event, and not of serde alone.
#[diagnostic::do_not_recommend]
impl<E: Event + Serialize> EventKind<E> for Ecst {
    const MESSAGE_TYPE: Option<MessageType> = Some(MessageType::Ecst);

    fn emitted(event: E) -> Emitted {
        Emitted::new(OnTheWire::new(MessageType::Ecst, event))
    }
}

// As above.
#[diagnostic::do_not_recommend]
impl<E: Event + DeserializeOwned> Receive<E> for Ecst {
    const DECODE: Option<Decode> = Some(decode::<E>);
}
