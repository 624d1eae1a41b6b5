use std::any::Any;

use super::contract::sealed::Sealed;
use super::emitted::{Emitted, Pending};
use super::{Decode, Event, EventKind, Receive};
use crate::broker::MessageType;

/// The kind of an event that stays in the process.
#[derive(Debug)]
pub enum Domain {}

impl Sealed for Domain {}

/// An event whose handlers run in the process, within the unit of work that emitted it.
///
/// It needs no serde. Its handlers run after the request's handler, one after the other; the first that fails
/// fails the request.
pub trait DomainEvent: Event<Kind = Domain> {}

impl<E: Event<Kind = Domain>> DomainEvent for E {}

impl<E: Event> EventKind<E> for Domain {
    const MESSAGE_TYPE: Option<MessageType> = None;

    fn emitted(event: E) -> Emitted {
        Emitted::new(InProcess(event))
    }
}

impl<E: Event> Receive<E> for Domain {
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
