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
/// A consumer needs no further call: the event has the state at the time when it was emitted.
///
/// # Guarantees
///
/// - The event gets its id and its time when it is emitted. It is written as a message before the commit, and published
///   after the commit.
/// - Without an outbox, the messages of a unit of work go to the broker in the order in which they were emitted, in one
///   call. The sender waits for the broker's answer.
/// - If the unit of work rolls back, nothing is published.
/// - The event's handlers in this process run when it [arrives](crate::Mediator::receive), not when this process emits
///   it.
///
/// # Errors
///
/// If the mediator has neither a broker nor an outbox, or if the event cannot be written, the message that emitted the
/// event fails before the commit: [`SendError::NoBroker`](crate::SendError::NoBroker) or
/// [`SendError::Encode`](crate::SendError::Encode). If the broker does not take the event, the error is
/// [`SendError::Undelivered`](crate::SendError::Undelivered).
///
/// # Source
///
/// The pattern Event-Carried State Transfer of M. Fowler, "What do you mean by Event-Driven?", 2017.
pub trait EcstEvent: Event<Kind = Ecst> {}

impl<E: Event<Kind = Ecst>> EcstEvent for E {}
