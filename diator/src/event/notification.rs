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

/// An event that goes to the message broker and carries identifications only.
///
/// The consumer asks for the rest, and so gets the state of that later time.
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
/// The pattern Event Notification of M. Fowler, "What do you mean by Event-Driven?", 2017.
pub trait NotificationEvent: Event<Kind = Notification> {}

impl<E: Event<Kind = Notification>> NotificationEvent for E {}
