//! What a handler works with: the mediator, and what belongs to its message.

use std::any::Any;
use std::pin::pin;

use super::Mediator;
use super::route::deliver_nested;
use super::unit_state::UnitState;
use crate::event::Emitted;
use crate::handler::{AnyReply, Engine};
use crate::message::{Cause, MessageDescriptor, TypeName};
use crate::{BoxFuture, Meta};

/// Who a message from outside was given to, and what travels with it.
#[derive(Debug)]
pub(crate) struct MessageEnv<'a> {
    pub(crate) mediator: &'a Mediator,
    pub(crate) meta: Meta,
}

/// What is lent to a handler, and to what follows it.
pub(crate) struct Execution<'a> {
    pub(crate) env: &'a MessageEnv<'a>,
    pub(crate) unit: &'a mut UnitState,
}

impl<'a> Execution<'a> {
    pub(crate) fn reborrow(&mut self) -> Execution<'_> {
        Execution { env: self.env, unit: self.unit }
    }

    /// Notes down that a handler begins to run, if somebody wants to know.
    #[inline(always)]
    pub(super) fn tell_ran(&self, handler: impl FnOnce() -> Cause) {
        if let Some(observer) = &self.env.mediator.0.observer {
            observer.ran(handler());
        }
    }
}

impl Engine for Execution<'_> {
    fn meta(&self) -> &Meta {
        &self.env.meta
    }

    fn emit(&mut self, event: Emitted) {
        self.unit.emit(event, self.env.mediator.0.cascade_limits);
    }

    fn deliver<'e>(
        &'e mut self,
        message: &'static TypeName,
        request: &'e mut (dyn Any + Send),
        reply: &'e mut AnyReply,
    ) -> BoxFuture<'e, ()> {
        let mediator = self.env.mediator;
        let delivery = deliver_nested(self.reborrow(), message, request, reply);
        // A handler that is called in place is not marked itself: what it sends is.
        match cfg!(feature = "in-place") {
            true => Box::pin(async move { mediator.within(pin!(delivery)).await }),
            false => Box::pin(delivery),
        }
    }

    fn observe(&self, cause: &dyn Fn() -> Cause, message: fn() -> MessageDescriptor) {
        if let Some(observer) = &self.env.mediator.0.observer {
            observer.caused(cause(), message().wired());
        }
    }
}
