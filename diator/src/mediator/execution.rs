//! What a handler works with: the mediator, and what belongs to its message.

use super::Mediator;
use super::unit::UnitState;
use crate::Meta;
use crate::event::Emitted;
use crate::registry::MessageDescriptor;
use crate::wiring::{Cause, Observer};

/// Who a message from outside was given to, and what travels with it.
#[derive(Debug)]
pub(crate) struct MessageEnv<'a> {
    pub(crate) mediator: &'a Mediator,
    pub(crate) meta: Meta,
}

/// What is lent to a handler, and to what follows it.
// Two words, which are handed on in registers: a third would put all of them into memory, from where they are copied as one
// before they are written.
pub(crate) struct Execution<'a> {
    pub(crate) env: &'a MessageEnv<'a>,
    pub(crate) unit: &'a mut UnitState,
}

impl<'a> Execution<'a> {
    pub(crate) fn reborrow(&mut self) -> Execution<'_> {
        Execution { env: self.env, unit: self.unit }
    }

    pub(crate) fn meta(&self) -> &'a Meta {
        &self.env.meta
    }

    /// Takes an event in, to happen if the handler succeeds.
    pub(crate) fn emit(&mut self, event: Emitted) {
        self.unit.emit(event, self.env.mediator.0.cascade_limits);
    }

    /// Notes down that one message causes another, if somebody wants to know.
    #[inline]
    pub(crate) fn observe(&self, cause: impl FnOnce() -> Cause, message: fn() -> MessageDescriptor) {
        if let Some(observer) = &self.env.mediator.0.observer {
            tell(&**observer, cause(), message);
        }
    }

    /// Notes down that a handler begins to run, if somebody wants to know.
    #[inline(always)]
    pub(super) fn tell_ran(&self, handler: impl FnOnce() -> Cause) {
        if let Some(observer) = &self.env.mediator.0.observer {
            observer.ran(handler());
        }
    }
}

// A function is given, so that nothing of this is in the frames of those who emit and send.
#[cold]
fn tell(observer: &dyn Observer, cause: Cause, message: fn() -> MessageDescriptor) {
    observer.caused(cause, message().wired());
}
