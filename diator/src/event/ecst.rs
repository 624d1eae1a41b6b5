use super::Event;
use super::contract::sealed::Sealed;
use super::wire::WireKind;
use crate::broker::MessageType;

/// The kind of an event that carries the new state: event-carried state transfer.
#[derive(Debug)]
pub enum Ecst {}

impl Sealed for Ecst {}

impl WireKind for Ecst {
    const MESSAGE_TYPE: MessageType = MessageType::Ecst;
}

/// An event that goes to the message broker and carries all that its readers need.
pub trait EcstEvent: Event<Kind = Ecst> {}

impl<E: Event<Kind = Ecst>> EcstEvent for E {}
