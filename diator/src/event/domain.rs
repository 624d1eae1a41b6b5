use std::any::Any;

use super::contract::sealed::Sealed;
use super::emitted::{Emitted, Pending};
use super::{Decode, Event, EventKind, ReceivedAs, WrittenAs};
use crate::broker::MessageType;

/// The kind of an event that stays in the process.
#[derive(Debug)]
pub enum Domain {}

impl Sealed for Domain {}

/// An event whose handlers run in the process, within the unit of work that emitted it.
///
/// The event needs no serde. Its handlers run after the request's handler, one after the other; the first handler that
/// fails fails the request, too.
///
/// # Guarantees
///
/// - Events are handled first in, first out: one that a handler emits goes to the end of the queue.
/// - The handlers of one event run by their `order`, and among equals by the path of their type, so that it does not depend on
///   the linker.
/// - All of these handlers end before the commit begins. Handlers with `after_commit` run once the commit has
///   succeeded, each in a unit of work of its own; the sender waits for them too.
/// - If the request fails, or its sender goes away before the commit begins, nothing that its events did in the scope is kept.
///
/// # Errors
///
/// The request fails as [`SendError::Event`](crate::SendError::Event), which names event and handler; the remaining
/// handlers do not run. If an `after_commit` handler fails, [`Undelivered`](crate::Undelivered) lists it instead, and
/// the other handlers still run.
///
/// # Source
///
/// The pattern Domain Event of E. Evans, "Domain-Driven Design Reference".
pub trait DomainEvent: Event<Kind = Domain> {}

impl<E: Event<Kind = Domain>> DomainEvent for E {}

impl EventKind for Domain {
    const MESSAGE_TYPE: Option<MessageType> = None;
}

impl<E: Event> WrittenAs<Domain> for E {
    fn __diator_emitted(self) -> Emitted {
        Emitted::new(InProcess(self))
    }
}

// Of any type: what is no event lacks only that.
impl<E> ReceivedAs<Domain> for E {
    const DECODE: Option<Decode> = None;
}

struct InProcess<E>(E);

impl<E: Event> Pending for InProcess<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn event(&self) -> &(dyn Any + Send + Sync) {
        &self.0
    }
}
