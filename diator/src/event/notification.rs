use super::Event;
use super::contract::sealed::Sealed;
use super::wire::WireKind;
use crate::broker::MessageType;

/// The kind of an event that tells other services what happened, and leaves them to ask for more.
#[derive(Debug)]
pub enum Notification {}

impl Sealed for Notification {}

impl WireKind for Notification {
    const WIRE_TYPE: MessageType = MessageType::Notification;
}

/// An event that goes to the message broker and carries identifiers only.
///
/// A consumer asks for the rest, and gets the state at the time of its question.
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
/// The pattern Event Notification of M. Fowler, "What do you mean by Event-Driven?", 2017.
pub trait NotificationEvent: Event<Kind = Notification> {}

impl<E: Event<Kind = Notification>> NotificationEvent for E {}
