use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::{OnTheWire, decode};
use super::{Decode, Emitted, Event, EventKind, Receive};
use crate::broker::MessageType;

/// The kind of an event that tells other services what happened, and leaves them to ask for more.
#[derive(Debug)]
pub enum Notification {}

/// An event that goes to the message broker and carries identifications only.
pub trait NotificationEvent: Event<Kind = Notification> {}

impl<E: Event<Kind = Notification>> NotificationEvent for E {}

// So that the error speaks of the event, and not of serde alone.
#[diagnostic::do_not_recommend]
impl<E: Event + Serialize> EventKind<E> for Notification {
    const MESSAGE_TYPE: Option<MessageType> = Some(MessageType::Notification);

    fn emitted(event: E) -> Emitted {
        Emitted::new(OnTheWire::new(MessageType::Notification, event))
    }
}

// As above.
#[diagnostic::do_not_recommend]
impl<E: Event + DeserializeOwned> Receive<E> for Notification {
    const DECODE: Option<Decode> = Some(decode::<E>);
}
