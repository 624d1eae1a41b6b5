use super::Event;
use super::contract::sealed::Sealed;
use super::wire::WireKind;
use crate::broker::MessageType;

/// The kind of an event that carries the new state: event-carried state transfer.
#[derive(Debug)]
pub enum Ecst {}

impl Sealed for Ecst {}

impl WireKind for Ecst {
    const WIRE_TYPE: MessageType = MessageType::Ecst;
}

/// An event that goes to the message broker and carries all that its readers need.
///
/// The consumer needs no further call, and gets the state of the time of the event.
///
/// # Guarantees
///
/// - It gets its id and its time when it is emitted, is written as a message before the commit, and is published after it.
/// - Without an outbox, the messages of a unit of work go to the broker in the order in which they were emitted, in one call. The
///   sender waits for the answer.
/// - If the unit of work rolls back, nothing is published.
/// - Its handlers in this process do not run for what the process emits, but for what [arrives](crate::Mediator::receive).
///
/// # Errors
///
/// Without a broker and an outbox, or if the event cannot be written, the message that emitted it fails before the commit:
/// [`SendError::NoBroker`](crate::SendError::NoBroker) or [`SendError::Encode`](crate::SendError::Encode). What the broker does
/// not take is [`SendError::Undelivered`](crate::SendError::Undelivered).
///
/// # Source
///
/// The pattern Event-Carried State Transfer of M. Fowler, "What do you mean by Event-Driven?", 2017.
pub trait EcstEvent: Event<Kind = Ecst> {}

impl<E: Event<Kind = Ecst>> EcstEvent for E {}
