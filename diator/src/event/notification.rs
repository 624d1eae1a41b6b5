use super::Event;
use super::contract::sealed::Sealed;
use super::wire::WireKind;
use crate::broker::MessageType;

/// The kind of an event that tells other services what happened, and leaves them to ask for more.
#[derive(Debug)]
pub enum Notification {}

impl Sealed for Notification {}

impl WireKind for Notification {
    const MESSAGE_TYPE: MessageType = MessageType::Notification;
}

/// An event that goes to the message broker and carries identifications only.
pub trait NotificationEvent: Event<Kind = Notification> {}

impl<E: Event<Kind = Notification>> NotificationEvent for E {}
