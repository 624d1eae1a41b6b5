use std::convert::Infallible;

use super::Mediator;
use super::route::unhandled;
use super::running::Running;
use super::soon::Soon;
use super::unit::Unit;
use crate::event::Emitted;
use crate::inject::{Resolver, Services, Slots};
use crate::meta::PackedMeta;
use crate::middleware::Committing;
use crate::registry::{Dependency, MessageDescriptor};
use crate::wiring::{Cause, Observer};
use crate::{BoxFuture, Meta, Request, SendError};

/// A failure of the mediator's own: there is no handler's error in it.
// In a box, because what mostly succeeds should be quick to move.
pub(crate) type Failure = Box<SendError<Infallible>>;

pub(super) type SendResult<R> = Result<<R as Request>::Response, SendError<<R as Request>::Error>>;

/// Gives a failure of the mediator's own the type that the request's sender expects.
#[expect(clippy::boxed_local, reason = "that is how it comes")]
pub(crate) fn widen<E>(failure: Failure) -> SendError<E> {
    (*failure).map_handler(|never| match never {})
}

/// What a message from outside is sent with.
#[expect(missing_debug_implementations, reason = "it is hidden: what the attributes write passes it on")]
pub struct Dispatch<'a> {
    pub(super) mediator: &'a Mediator,
    pub(super) meta: PackedMeta,
}

impl<'a> Dispatch<'a> {
    #[inline]
    pub(super) fn new(mediator: &'a Mediator, meta: PackedMeta) -> Self {
        Self { mediator, meta }
    }

    pub(super) fn send_dyn<R: Request>(self, request: R) -> BoxFuture<'a, SendResult<R>> {
        match self.mediator.route::<R>() {
            Some(route) => route.send(self, request),
            None => unhandled::<R>(),
        }
    }
}

// Functions are given, so that nothing of this is in the frames of those who emit and send.
#[cold]
fn tell(observer: &dyn Observer, cause: fn() -> Cause, message: fn() -> MessageDescriptor) {
    observer.caused(cause(), message().wired());
}

/// Who a message from outside was given to, and what travels with it.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) mediator: &'a Mediator,
    pub(crate) meta: Meta,
}

impl AsRef<Running> for Mediator {
    fn as_ref(&self) -> &Running {
        &self.0.messages
    }
}

/// What the sender gets: the handler's result, unless what followed it went wrong.
pub(super) fn answer<T: Send + 'static, E>(
    result: Result<T, SendError<E>>,
    ended: Result<(), Failure>,
) -> Result<T, SendError<E>> {
    match (result, ended) {
        (result, Ok(())) | (result @ Err(_), _) => result,
        (Ok(response), Err(failure)) => Err(match widen(failure) {
            SendError::Undelivered(undelivered) => SendError::Undelivered(undelivered.with_response(response)),
            failure => failure,
        }),
    }
}

/// What a handler works with: the mediator, and what belongs to its message.
// Two words, which are handed on in registers: a third would put all of them into memory, from where they are copied as one
// before they are written.
pub(crate) struct Run<'a> {
    pub(crate) origin: &'a Origin<'a>,
    pub(crate) unit: &'a mut Unit,
}

impl<'a> Run<'a> {
    pub(crate) fn reborrow(&mut self) -> Run<'_> {
        Run { origin: self.origin, unit: self.unit }
    }

    pub(crate) fn meta(&self) -> &'a Meta {
        &self.origin.meta
    }

    /// Takes an event in, to happen if the handler succeeds.
    pub(crate) fn emit(&mut self, event: Emitted) {
        self.unit.emit(event, self.origin.mediator.0.cascade_limits);
    }

    /// Notes down that one message causes another, if somebody wants to know.
    #[inline]
    pub(crate) fn observe(&self, cause: fn() -> Cause, message: fn() -> MessageDescriptor) {
        if let Some(observer) = &self.origin.mediator.0.observer {
            tell(&**observer, cause, message);
        }
    }

    /// Notes down that a handler begins to run, if somebody wants to know.
    pub(super) fn tell_ran(&self, handler: fn() -> Cause) {
        if let Some(observer) = &self.origin.mediator.0.observer {
            observer.ran(handler());
        }
    }

    /// What follows the handler: the same for every message.
    pub(super) fn end(self, succeeded: bool, committing: Option<&'a Committing>) -> Soon<'a, ()> {
        if succeeded { self.finish(committing) } else { self.fail() }
    }

    /// Sends a nested request.
    pub(crate) fn send<R: Request>(self, request: R) -> BoxFuture<'a, SendResult<R>> {
        match self.origin.mediator.route::<R>() {
            Some(route) => route.send_nested(self, request),
            None => unhandled::<R>(),
        }
    }

    /// Gets what a handler is built from whose dependencies belong to this unit of work.
    pub(super) fn fill<'r>(
        &'r mut self,
        slots: &'r mut dyn Slots,
        dependencies: &'static [Dependency],
        handler: &'static str,
    ) -> Soon<'r, ()> {
        let Origin { mediator, meta } = self.origin;
        let container = &*mediator.0.container;
        let resolver = Resolver::new(container, dependencies, slots);
        let failed = move |source| SendError::Resolve { handler, source }.into();
        match self.unit.scope(container, meta) {
            Soon::Now(scope) => match resolver.services(scope, meta) {
                Services::Ready(resolved) => resolved.map_err(failed).into(),
                Services::Pending(rest) => Soon::later(async move { rest.await.map_err(failed) }),
            },
            Soon::Later(opening) => Soon::later(async move {
                let scope = opening.await?;
                match resolver.services(scope, meta) {
                    Services::Ready(resolved) => resolved.map_err(failed),
                    Services::Pending(rest) => rest.await.map_err(failed),
                }
            }),
        }
    }
}
